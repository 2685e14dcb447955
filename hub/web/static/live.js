// Keeps an open page true: it fetches anew what changed, sounds for alerts that nobody has taken, and says so
// where it has had no word from the hub. What it says of times is what hub/web/words.py says.
"use strict";

(() => {
  const POLL_HIDDEN = 15_000; // milliseconds, as all below: how often a hidden tab asks for alerts
  const SILENT_STREAM = 20_000; // a stream that says nothing for so long (it does every ten seconds) is opened anew
  const LOST_AFTER = 10_000; // without a word that was asked for: long enough for a tablet to find its Wi-Fi
  const LISTEN_AGAIN = 5_000;
  const RENEW_EVERY = 60_000; // what time alone changes (who is overdue, whose rung it is) is in no message
  const SILENCE = 120_000;
  const SOUND_EVERY = { high: 12_000, other: 25_000 };
  const PULSES = { high: [0, 0.2, 0.4, 0.8, 1.0], other: [0, 0.3, 0.6] }; // seconds

  const body = document.body;
  const waiting = document.getElementById("page-waiting");
  const link = document.getElementById("page-link");
  const title = document.title;
  const memory = { get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
                   set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* then this tab alone knows */ } } };

  // ---- Times ------------------------------------------------------------------------------------------------
  let ahead = Date.parse(body.dataset.now) - Date.now(); // how far the hub's clock is ahead of this device's
  const hubNow = () => Date.now() + ahead;

  const spanWords = (span) => {
    const minutes = Math.floor(Math.abs(span) / 60_000), hours = Math.floor(minutes / 60);
    if (minutes < 1) return "less than a minute";
    if (hours < 1) return `${minutes} min`;
    if (hours < 6 && minutes % 60) return `${hours} h ${minutes % 60} min`;
    return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
  };
  const agoWords = (at) => {
    const span = hubNow() - at;
    if (span <= -60_000) return `in ${spanWords(span)} by the hub's clock`;
    return span < 60_000 ? "just now" : `${spanWords(span)} ago`;
  };
  const untilWords = (at) => {
    const span = at - hubNow();
    if (Math.abs(span) < 60_000) return "now";
    return span > 0 ? `in ${spanWords(span)}` : `${spanWords(span)} overdue`;
  };
  const say = (element, words) => { if (element.textContent !== words) element.textContent = words; };
  const tellTimes = (within) => {
    for (const time of within.querySelectorAll("time[data-ago]")) say(time, agoWords(Date.parse(time.dateTime)));
    for (const time of within.querySelectorAll("time[data-until]")) say(time, untilWords(Date.parse(time.dateTime)));
  };
  const clockWords = (moment) => new Date(moment).toTimeString().slice(0, 5); // of this device, as its own clock shows it

  // ---- What is new ------------------------------------------------------------------------------------------
  const signedIn = body.dataset.signedIn === "yes";
  let source = null, openedAt = 0, heardAt = Date.now(), asked = null, askedLast = 0, listenAt = 0;

  const heard = () => { heardAt = Date.now(); asked = null; tellLink(); };
  const unheard = () => { asked ??= Date.now(); tellLink(); };
  // htmx takes a slash in an event's name for the beginning of something else: resident/R-0412 is news:resident-R-0412.
  const fire = (topic) => body.dispatchEvent(new CustomEvent(`news:${topic.replaceAll("/", "-")}`));
  const allTopics = () => {
    const topics = new Set(["alerts"]);
    for (const part of document.querySelectorAll("[hx-trigger*='news:']"))
      for (const found of part.getAttribute("hx-trigger").matchAll(/news:([^\s,[]+)/g)) topics.add(found[1]);
    return topics;
  };
  let told = 0; // how many messages there were: a part that waits for several topics of one is fetched once
  const fireAll = (topics) => { told++; topics.forEach(fire); };
  let renewedAt = Date.now();
  const renewAll = () => { renewedAt = Date.now(); fireAll(allTopics()); };
  const topicsOf = (data) => {
    try { return [].concat(JSON.parse(data)); } catch { return data.split(/[\s,]+/).filter(Boolean); }
  };

  const listen = () => {
    stopListening();
    openedAt = Date.now();
    unheard(); // a hub that hangs, or a Wi-Fi that leads nowhere, refuses nothing: no error would ever come
    source = new EventSource("/news");
    // Whatever changed since the page was drawn, or while nobody listened, is in no message.
    source.onopen = () => { heard(); renewAll(); };
    source.onmessage = (message) => { heard(); openedAt = Date.now(); fireAll(topicsOf(message.data)); };
    source.onerror = () => {
      unheard();
      if (source && source.readyState === EventSource.CLOSED) { listenAt = Date.now() + LISTEN_AGAIN; stopListening(); }
      ask(); // a session that has ended looks like this too: the answer says so
    };
  };
  const stopListening = () => { if (source) source.close(); source = null; };
  const ask = () => {
    if (Date.now() - askedLast < LISTEN_AGAIN) return;
    askedLast = Date.now();
    fireAll(["alerts"]);
  };
  // Names must not stand on a screen that nobody is signed in at, even if somebody had begun to type.
  const goToSignIn = () => {
    const here = location.pathname;
    if (here !== "/sign-in") location.assign(here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`);
  };

  const tellLink = () => {
    const lost = asked !== null && Date.now() - asked > LOST_AFTER;
    body.classList.toggle("page-lost", lost);
    say(link, lost ? `No word from the hub since ${clockWords(heardAt)}. What this screen shows may be old, and it would`
      + " not sound for a new alert. Look at other screens, check this device's Wi-Fi, then load the page again." : "");
    tellTitle();
  };

  const triggeredByNews = (detail) => detail.triggeringEvent && detail.triggeringEvent.type.startsWith("news:");
  const isLive = (detail) => detail.elt === waiting || triggeredByNews(detail);

  const fetchedFor = new WeakMap();
  body.addEventListener("htmx:confirm", (event) => {
    if (!triggeredByNews(event.detail)) return;
    if (fetchedFor.get(event.detail.elt) === told) event.preventDefault();
    fetchedFor.set(event.detail.elt, told);
  });
  body.addEventListener("htmx:configRequest", (event) => {
    // What a page fetches by itself keeps no session awake.
    if (isLive(event.detail)) event.detail.headers["X-Live"] = "1";
  });
  body.addEventListener("htmx:beforeRequest", (event) => {
    if (isLive(event.detail.requestConfig ?? event.detail)) asked ??= Date.now();
  });

  let focused = null;
  const shown = new WeakMap();
  body.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target, requestConfig } = event.detail;
    if (!requestConfig || !isLive(requestConfig)) {
      shown.delete(target); // somebody's press has drawn it: what was fetched before stands there no more
      return;
    }
    if (xhr.status === 401 || new URL(xhr.responseURL || location.href, location.href).pathname === "/sign-in") {
      event.detail.shouldSwap = false;
      goToSignIn();
      return;
    }
    const date = Date.parse(xhr.getResponseHeader("Date"));
    if (date && Math.abs(date - hubNow()) > 3_000) ahead = date - Date.now();
    if (xhr.status >= 400) return; // htmx shows no errors: the part stays as it was
    heard();
    target.classList.remove("page-old");
    // What is the same is not drawn again, nor read out again.
    if (shown.get(target) === xhr.responseText) event.detail.shouldSwap = false;
    shown.set(target, xhr.responseText);
    const active = document.activeElement;
    focused = active && !active.id && target.contains(active) ? active.getAttribute("href") : null;
  });
  body.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    tellTimes(target);
    if (target === waiting) tellWaiting();
    if (focused) {
      const links = target.querySelectorAll(`a[href="${CSS.escape(focused)}"]`);
      if (links.length === 1) links[0].focus({ preventScroll: true });
      focused = null;
    }
  });
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"])
    body.addEventListener(name, (event) => {
      if (!isLive(event.detail.requestConfig ?? event.detail)) return;
      if (event.detail.target !== waiting) event.detail.target.classList.add("page-old");
      unheard();
    });

  // ---- Alerts that nobody has taken -------------------------------------------------------------------------
  let alerts = new Set(), band = "", soundAt = 1, silentUntil = 0, audio = null, mayBeHeard = false;

  const silenced = () => Math.max(silentUntil, Number(memory.get("silent-until") ?? 0)) > Date.now();
  const silence = (until) => { silentUntil = until; memory.set("silent-until", String(until)); tellSound(); };
  const tellTitle = () => {
    const mark = body.classList.contains("page-lost") ? "! " : "";
    document.title = `${mark}${alerts.size ? `(${alerts.size}) ` : ""}${title}`;
  };
  const tellWaiting = () => {
    const said = waiting.querySelector("[data-alerts]");
    if (!said) return;
    if (signedIn && said.dataset.signedIn === "no") { goToSignIn(); return; }
    const now = new Set(said.dataset.alerts.split(" ").filter(Boolean));
    // Where the hub tells how many and not which, more than there were are new ones.
    for (let number = now.size; number < Number(said.dataset.count); number++) now.add(`one of ${number + 1}`);
    const added = [...now].filter((alert) => !alerts.has(alert));
    if (added.length) silentUntil = 0; // another page may have ended the silence for it, and not be heard itself
    if (added.some((alert) => !known(alert))) silence(0), soundAt = 0;
    memory.set("alerts", [...now].join("|"));
    alerts = now;
    band = said.dataset.band;
    tellTitle();
    tellSound();
    sound();
  };
  // Of another page of this browser: going from page to page makes no alert new, and keeps the silence.
  const known = (alert) => (memory.get("alerts") ?? "").split("|").includes(alert);

  const tellSound = () => {
    const button = document.getElementById("page-sound");
    if (!button) return;
    button.hidden = alerts.size === 0;
    if (!mayBeHeard) say(button, "Turn sound on");
    else say(button, silenced() ? `Silent until ${clockWords(Math.max(silentUntil, Number(memory.get("silent-until"))))}` : "Silence 2 min");
  };
  const sound = () => {
    if (!alerts.size || silenced() || !mayBeHeard || Date.now() < soundAt) return;
    const last = Number(memory.get("sounded-at") ?? 0), every = band === "high" ? SOUND_EVERY.high : SOUND_EVERY.other;
    if (soundAt && Date.now() - last < every - 1_000) return; // another page of this browser just did
    soundAt = Date.now() + every;
    memory.set("sounded-at", String(Date.now()));
    audio.resume().then(() => play(band === "high" ? PULSES.high : PULSES.other)).catch(() => {});
  };
  const play = (pulses) => {
    const start = audio.currentTime + 0.05;
    for (const after of pulses) {
      for (const [hertz, loud] of [[660, 0.5], [1320, 0.2], [1980, 0.1]]) {
        const tone = audio.createOscillator(), volume = audio.createGain();
        tone.frequency.value = hertz;
        volume.gain.setValueAtTime(0, start + after);
        volume.gain.linearRampToValueAtTime(loud, start + after + 0.02);
        volume.gain.setValueAtTime(loud, start + after + 0.12);
        volume.gain.linearRampToValueAtTime(0, start + after + 0.15);
        tone.connect(volume).connect(audio.destination);
        tone.start(start + after);
        tone.stop(start + after + 0.16);
      }
    }
    setTimeout(() => audio.suspend(), 2_500);
  };
  const tryAudio = () => {
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (!Context) return;
    audio = new Context();
    mayBeHeard = audio.state === "running";
    if (mayBeHeard) audio.suspend();
    // Browsers let nothing sound before somebody has touched the page.
    const touched = () => {
      if (mayBeHeard) return;
      audio.resume().then(() => { mayBeHeard = true; audio.suspend(); tellSound(); sound(); }).catch(() => {});
    };
    for (const name of ["pointerup", "keydown"]) document.addEventListener(name, touched, { passive: true });
  };
  document.addEventListener("click", (event) => {
    if (event.target.id !== "page-sound" || !mayBeHeard) return;
    silence(silenced() ? 0 : Date.now() + SILENCE);
    soundAt = 1;
  });

  // ---- Once a second ----------------------------------------------------------------------------------------
  let toldTimes = 0, alertsWereSilent = false;
  const tick = () => {
    const now = Date.now();
    if (document.hidden) {
      if (now - askedLast >= POLL_HIDDEN) ask();
    } else if (!signedIn) {
      if (now - askedLast >= POLL_HIDDEN) ask(); // nobody is signed in: there is no stream
    } else if (!source ? now >= listenAt : now - openedAt > SILENT_STREAM) {
      listen();
    }
    if (!document.hidden && now - renewedAt >= RENEW_EVERY) renewAll();
    if (now - toldTimes > 15_000) { toldTimes = now; tellTimes(document); }
    if (alertsWereSilent !== silenced()) { alertsWereSilent = silenced(); tellSound(); }
    tellLink();
    sound();
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stopListening();
    else { asked = null; listenAt = 0; tick(); if (!signedIn) ask(); }
  });
  addEventListener("pageshow", (event) => { if (event.persisted) { listenAt = 0; renewAll(); } });
  addEventListener("pagehide", stopListening);

  // ---- Forms ------------------------------------------------------------------------------------------------
  // A finger that trembles presses twice: a form is sent once.
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (Date.now() - (sent.get(event.target) ?? 0) < 3_000) event.preventDefault();
    else sent.set(event.target, Date.now());
  });
  document.querySelector("[data-focus]")?.focus();

  tryAudio();
  try {
    const clock = new Worker(body.dataset.clock);
    clock.onmessage = tick;
    clock.onerror = () => setInterval(tick, 1_000);
  } catch {
    setInterval(tick, 1_000);
  }
  askedLast = Date.now(); // the page itself asks as it is loaded
  tick();
})();
