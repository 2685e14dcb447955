// Ticks once a second for live.js. In a worker, since browsers let the timers of a hidden tab go once a minute only.
setInterval(() => postMessage(0), 1000);
