// A round: counts breaths by taps, says what is still missing, and sends nothing twice.
// Without it the page works too: the rate is typed, and the hub says what is missing.
(function () {
  "use strict";
  var form = document.getElementById("round");
  if (!form) return;
  var by = function (id) { return document.getElementById(id); };

  // ---- Breaths ----
  var tap = by("tap"), words = by("tap-words"), small = by("tap-small"), progress = by("tap-progress");
  var said = by("tap-said"), again = by("tap-again"), panel = by("breaths"), rate = by("respiration_rate");
  var taps = [], counting = null, countedFor = 30000;
  panel.hidden = false;

  function seconds() { return form.elements.count_for.value === "60" ? 60 : 30; }

  function begin(at) {
    taps = [at];
    countedFor = seconds() * 1000;
    progress.max = seconds();
    progress.hidden = false;
    said.textContent = "";
    rate.value = "";
    again.hidden = false;
    panel.classList.add("round-breaths--counting");
    lock(true);
    counting = setInterval(tick, 100);
    tick();
  }

  function tick() {
    var passed = performance.now() - taps[0];
    var kept = window.breaths.taken(taps, countedFor);
    progress.value = Math.min(passed, countedFor) / 1000;
    words.textContent = (kept.length - 1) + (kept.length === 2 ? " breath" : " breaths");
    small.textContent = "Tap at each breath in. " + Math.max(0, Math.ceil((countedFor - passed) / 1000)) + " s left";
    if (passed >= countedFor) end();
  }

  function end() {
    stop();
    var found = window.breaths.rate(taps, countedFor);
    if (found.rate === null) {
      said.textContent = "Too few breaths were tapped to tell. Count again for 60 seconds. If they hardly breathe, call 999 now.";
    } else {
      rate.value = found.rate;
      said.textContent = found.rate + " breaths a minute." + (found.uneven ? " The taps were uneven: count again for 60 seconds, unless you are sure." : "");
      rate.dispatchEvent(new Event("input", { bubbles: true }));
    }
    words.textContent = found.rate === null ? "Count again" : found.rate + " a minute";
    small.textContent = "Tap to count again";
    if (navigator.vibrate) navigator.vibrate([120, 60, 120]);
    // A tap that was meant for the last breath must not begin anew.
    tap.disabled = true;
    setTimeout(function () { tap.disabled = false; }, 1500);
  }

  function stop() {
    clearInterval(counting);
    counting = null;
    panel.classList.remove("round-breaths--counting");
    lock(false);
  }

  function lock(locked) {
    by("count-30").disabled = by("count-60").disabled = locked;
  }

  function tapped() {
    var at = performance.now();
    if (counting === null) begin(at);
    else { taps.push(at); tick(); }
    tap.classList.add("round-tap--hit");
    setTimeout(function () { tap.classList.remove("round-tap--hit"); }, 120);
  }

  // The moment counts: when the finger or the key goes down. A click alone is of a switch or a screen reader.
  var byHand = 0;
  tap.addEventListener("pointerdown", function (event) {
    if (event.button !== 0) return;
    byHand = performance.now();
    tapped();
  });
  tap.addEventListener("keydown", function (event) {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) tapped();
  });
  tap.addEventListener("keyup", function (event) { if (event.key === " ") event.preventDefault(); });
  tap.addEventListener("click", function () {
    if (performance.now() - byHand > 1000) tapped();
  });
  again.addEventListener("click", function () {
    stop();
    taps = [];
    progress.value = 0;
    progress.hidden = true;
    words.textContent = "Tap at each breath in";
    small.textContent = "The first tap starts the timer";
    said.textContent = "";
    rate.value = "";
    again.hidden = true;
    lacking();
    tap.focus();
  });

  // ---- What is still missing: by the hub, and not typed here either ----
  function lacking() {
    var names = Array.prototype.filter.call(document.querySelectorAll("#turn .round-value--missing"), function (row) {
      return !Array.prototype.some.call(form.querySelectorAll("[data-enters=" + row.dataset.vital + "]"), function (input) {
        return input.type === "radio" ? input.checked : input.value.trim() !== "";
      });
    }).map(function (row) { return row.dataset.name; });
    var line = by("lacks");
    var text = names.length ? "Still missing: " + names.join(", ") + ". You can finish without: the score may then be too low." : "Nothing is missing.";
    if (line.textContent !== text) line.textContent = text;
    line.hidden = false;
    line.classList.toggle("round-lacks--none", names.length === 0);
  }
  form.addEventListener("input", lacking);
  form.addEventListener("change", lacking);

  // ---- A choice can be taken back ----
  form.querySelectorAll("fieldset").forEach(function (choices) {
    var inputs = choices.querySelectorAll("input[type=radio][data-enters]");
    if (!inputs.length) return;
    var clear = document.createElement("button");
    clear.type = "button";
    clear.className = "page-button--plain round-clear";
    clear.textContent = "Clear";
    clear.setAttribute("aria-label", "Clear: " + choices.querySelector("legend").textContent + " Not checked");
    clear.hidden = !choices.querySelector("input:checked");
    // Before the choices, and beside their heading: it moves nothing, and the Tab key goes on to what is next.
    choices.insertBefore(clear, choices.querySelector(".page-choices"));
    choices.addEventListener("change", function () { clear.hidden = !choices.querySelector("input:checked"); });
    clear.addEventListener("click", function () {
      inputs.forEach(function (input) { input.checked = false; });
      clear.hidden = true;
      inputs[0].focus();
      lacking();
    });
  });

  // ---- What came in just now cannot be pressed by a thumb that was on its way to something else ----
  var seen = offered();
  function offered() {
    return Array.prototype.map.call(document.querySelectorAll("#turn button[name=reading]"), function (each) { return each.value; });
  }
  document.body.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target.id !== "turn") return;
    document.querySelectorAll("#turn button[name=reading]").forEach(function (each) {
      if (seen.indexOf(each.value) >= 0) return;
      each.disabled = true;
      setTimeout(function () { each.disabled = false; }, 800);
    });
    seen = offered();
    lacking();
    // What was pressed is gone: the keyboard goes on at the values, and who cannot see them hears that it was done.
    if (event.detail.requestConfig && event.detail.requestConfig.verb === "post") {
      var refused = document.querySelector("#turn [role=alert]");
      by("round-status").textContent = refused ? "" : "Done.";
      by("known").focus({ preventScroll: true });
    }
  });

  // ---- Once ----
  var sent = false;
  form.addEventListener("submit", function (event) {
    if (sent) { event.preventDefault(); return; }
    sent = true;
  });
  window.addEventListener("pageshow", function () { sent = false; lacking(); });
  lacking();
})();
