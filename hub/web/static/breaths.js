// Breaths a minute, from the moments of taps. Nothing here touches the page: round.js does.
(function (root) {
  "use strict";
  var BOUNCE = 400; // milliseconds: nobody breathes in again so soon, a finger on glass does
  var FEWEST = 3;   // taps: fewer tell no rate

  // Taps without those of a finger that bounced, as milliseconds since the first; none after the time counted for.
  function taken(taps, countedFor) {
    var kept = [];
    taps.forEach(function (at) {
      var since = at - taps[0];
      if (since <= countedFor && (kept.length === 0 || since - kept[kept.length - 1] >= BOUNCE)) kept.push(since);
    });
    return kept;
  }

  // The rate of taps at each breath in, which were counted for so many milliseconds since the first one.
  //
  // { rate: whole breaths a minute (half up), or null where there are too few to tell; breaths: how many were counted;
  //   uneven: whether one took more than twice as long as the middle one }
  //
  // It is the breaths between the first tap and the last, by the time between them: to count whole breaths in half a
  // minute would be wrong by up to two a minute, and mostly too low. Where nothing was tapped at the end for longer
  // than between any two taps, that time counts too: whoever stops breathing does not breathe as before.
  function rate(taps, countedFor) {
    var kept = taken(taps, countedFor), breaths = Math.max(0, kept.length - 1);
    if (kept.length < FEWEST) return { rate: null, breaths: breaths, uneven: false };
    var gaps = kept.slice(1).map(function (at, place) { return at - kept[place]; });
    var longest = Math.max.apply(null, gaps);
    var middle = gaps.slice().sort(function (one, other) { return one - other; })[Math.floor(gaps.length / 2)];
    var time = Math.max(kept[kept.length - 1], countedFor - longest);
    return { rate: Math.round(breaths * 60000 / time), breaths: breaths, uneven: longest > 2 * middle };
  }

  root.breaths = { rate: rate, taken: taken };
})(typeof module !== "undefined" ? module.exports : window);
