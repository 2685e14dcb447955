"""`carehub demo`: the whole street, without any hardware."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hub.demo.story import Outcome


@click.command(short_help="See it all work, without any hardware.")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen and checked as one JSON object.")
@click.option(
    "--stay/--no-stay",
    default=None,
    help="Keep it all running at the end, to look at the staff page. Default: in a terminal.",
)
def command(as_json: bool, stay: bool | None) -> None:
    """Show the whole way of a reading, from a sensor's bytes to an acknowledged alert, in under a minute.

    Starts a broker (mosquitto), a hub with a ward of virtual sensors on a virtual radio, its staff page, and
    an ICS subscriber; lets one of two residents get worse, restarts the broker in the middle, and ends with 0
    only if everything that had to happen did.
    """
    from hub.cli.event_words import event_lines
    from hub.demo.page import NAME, PIN
    from hub.demo.record import kind_of
    from hub.demo.story import play
    from hub.uplink.cloudevents import Event

    colours = {"alert": "red", "observation": "cyan", "status": "yellow"}
    stays = (sys.stdout.isatty() and not as_json) if stay is None else stay

    def tell(words: str) -> None:
        if not as_json:
            click.secho(words, bold=True)

    def show(event: Event) -> None:
        if not as_json:
            for line in event_lines(event):
                click.secho(line, fg=colours.get(kind_of(event).split(".")[0]))

    async def stay_until_stopped(outcome: Outcome) -> None:
        _report(outcome, as_json=as_json)
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        tell(f"The home's page: {outcome.page.address} (sign in as {NAME}, PIN {PIN}). Ctrl-C ends the demo.")
        await stopped.wait()

    outcome = asyncio.run(play(tell, show, stay_until_stopped if stays else None))
    if not stays:
        _report(outcome, as_json=as_json)
        tell(f"The home's page was at {outcome.page.address}; see it yourself: carehub demo --stay")
    sys.exit(0 if outcome.good else 1)


def _report(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        document = {
            "good": outcome.good,
            "seconds": round(outcome.seconds, 1),
            "checks": [{"what": check.what, "happened": check.happened} for check in outcome.checks],
            "latency_milliseconds": {
                what: [round(each, 1) for each in latency.milliseconds]
                for what, latency in outcome.latencies.items()
            },
            "page": outcome.page.address,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo("\nFrom a sensor's last byte to the subscriber")
    for latency in outcome.latencies.values():
        click.echo(f"  {latency.words}")
    click.echo(f"\nWhat had to happen ({outcome.seconds:.0f} s in all)")
    for check in outcome.checks:
        click.secho(
            f"  {'yes' if check.happened else 'NO '}  {check.what}", fg=None if check.happened else "red"
        )
    click.echo()
    click.secho("All of it happened." if outcome.good else "Not all of it happened.", bold=True)
