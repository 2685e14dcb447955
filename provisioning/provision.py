"""Set a hub's machine up over SSH: look at it, bring the release if it lacks it, apply, sign, ask the hub.

Whatever interrupts it, the same again does the rest: what is applied is applied whole.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from provisioning import machines
from provisioning.authority import Authority
from provisioning.bundle import Bundle
from provisioning.errors import ProvisioningError
from provisioning.home_network import one_of_each_network, unlike_now
from provisioning.keeper.resources import SOME_FAILED, Outcome, Resource, Run, to_json
from provisioning.looking import Seen as Seen
from provisioning.looking import look_at
from provisioning.machine_settings import Wired
from provisioning.machine_words import plain
from provisioning.plan import Login, PagePair, before_certificate, desired, with_certificate
from provisioning.remote import Reach, Remote
from provisioning.report import Finding, Report, findings_of, merged, outcome_of
from provisioning.site_file import Site

Tell = Callable[[str], None]
_DOCTOR = "/usr/local/bin/carehub doctor --json"
_DOCTOR_SECONDS = 120.0
_FORGET_CARD = Run(
    "/usr/local/bin/carehub first-boot --forget",
    "test -e /etc/carehub/first-boot || test -e /boot/firmware/carehub/site.toml",
)
"""What a flashable card brought is not to overrule, at the next start, what is set up now."""
_KEEPER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from provisioning.keeper.__main__ import main; sys.exit(main())"
)


def provision(
    target: str,
    site: Site,
    bundle: Bundle,
    *,
    signers: str = "",
    certificate: str = "",
    instead_of: Collection[str] = (),
    dry_run: bool = False,
    tell: Tell = lambda _words: None,
    reach: Reach | None = None,
    slim: Callable[[str], Path] | None = None,
) -> Report:
    """Have a machine be the hub of that site's file, with that release.

    Args:
        target: as ssh takes it, pi@HOST.
        signers: whose releases the hub takes, where the site's file does not say so.
        certificate: the hub's, from an external authority (PEM).
        instead_of: hubs (SITE.HUB) whose place this one takes: another one that the machine is today, or this
            one, where it was another machine, whose certificate is then revoked, or was revoked itself.
        tell: is told how it goes on.
        slim: gives the bundle for one Python ("3.11"), where many machines share it.

    Raises:
        ProvisioningError: it cannot be begun, or was interrupted; the text says what to do.
    """
    begun = time.monotonic()
    signers = site.carried.release_signers or signers
    if not signers.strip():
        raise ProvisioningError(
            f"{site.path}: whose releases may this hub take? Give authority.release_signers, or --signers"
        )
    directory = site.authority_directory
    authority = Authority(directory, tell) if directory is not None else None
    ca_pem = site.carried.broker_ca or (authority.ca_pem if authority else "")
    with Remote(target, reach) as remote:
        work = _Work(remote, site, bundle, dry_run, tell)
        try:
            work.check()
            work.check_who(authority, instead_of)
            warnings = (*site.warnings, *unlike_now(site, work.seen, target))
            if work.replaces and certificate:
                raise ProvisioningError(
                    f"{target}: takes the place of another machine, and has to make a key of its own: leave"
                    " --certificate out, the authority signs another"
                )
            path = work.bring(slim)
            login = work.login()
            resources = desired(
                site, ca_pem, bundle.manifest, work.seen.python, signers, certificate, path,
                login=login, page=_page(site, authority, dry_run),
                authority_pem=authority.ca_pem if authority else "", new_key=work.new_key,
            )  # fmt: skip
            outcomes, to_do = _applied(site, authority, [*resources, _FORGET_CARD], certificate, work)
            if site.machine.ssh.harden and not login.harden:
                open_still = Outcome(
                    "ssh hardening",
                    "failed",
                    f"{login.name} has no authorized key there, and would be locked out: give"
                    " machine.ssh.authorized_keys, or ssh-copy-id one",
                )
                outcomes.append(open_still)
                tell(f"  failed: {open_still.title}: {open_still.detail}")
            if authority is not None and not dry_run:
                authority.publish()  # where that failed when the hub was certified
            hub = [] if dry_run else work.ask()
        finally:
            work.end()
    return Report(
        target, site.name, bundle.manifest.name, dry_run, time.monotonic() - begun,
        tuple(outcomes), tuple(hub), warnings, tuple(to_do), tuple(_known_as(site, target, outcomes)),
    )  # fmt: skip


def _applied(
    site: Site, authority: Authority | None, resources: Sequence[Resource], certificate: str, work: _Work
) -> tuple[list[Outcome], list[str]]:
    """Apply, and once more with the certificate where one is asked for; what is left for somebody to do."""
    # A hub that is certified in a moment is not to be called one that cannot be started.
    soon = site.config.broker.tls and authority is not None and not work.seen.certified and not certificate
    in_two = soon and not work.dry_run
    outcomes = work.apply(before_certificate(resources) if in_two else resources)
    request = next((each.request for each in outcomes if each.request), "")
    if authority is None or work.dry_run:
        return outcomes, [_asked_by_file(site, request)] if request and not work.dry_run else []
    if request:
        work.tell(f"signing the certificate of {site.name}")
        names, machine = (site.config.site.id, site.config.hub.id), work.seen.machine
        certificate = authority.certify(request, site.name, names, machine, work.replaces)
        resources = with_certificate(resources, certificate)
    elif not in_two:
        return outcomes, []
    return merged(outcomes, work.apply(resources)), []


def _known_as(site: Site, target: str, outcomes: Sequence[Outcome]) -> list[str]:
    """By what else the machine is reached from now on."""
    changed = {each.title for each in outcomes if each.change == "changed"}
    found = []
    if "file /etc/hostname" in changed:
        found.append(
            f"it is called {site.host_name} now ({site.host_name}.local, where mDNS works): if {target} does"
            " not lead to it any more, use that"
        )
    wired = site.machine.network.wired
    if isinstance(wired, Wired) and any("carehub-wired" in each for each in changed):
        found.append(f"from its next start on its address is {ip_interface(wired.address).ip}")
    return found


def _asked_by_file(site: Site, request: str) -> str:
    """Leave the request beside the site's file; what to do with it."""
    file = site.path.parent / f"{site.name}.csr"
    try:
        file.write_text(request, encoding="utf-8")
    except OSError as error:
        raise ProvisioningError(f"{file} cannot be written: {error.strerror}") from error
    return (
        f"have {file} signed by the authority, as a client's certificate with the CN {site.name}; then run"
        " this again with --certificate FILE"
    )


def _page(site: Site, authority: Authority | None, dry_run: bool) -> PagePair | None:
    """The page's certificate from the pilot's own authority: the one that it gave already, while it is
    good."""
    settings = site.machine.page
    if not settings.from_authority or authority is None:
        return None
    file = authority.directory / f"{site.page_names[0]}.crt"
    if dry_run and not file.exists():
        return None
    if not dry_run:
        file = authority.page(site.page_names)
    try:
        return PagePair(
            file.read_text(encoding="utf-8"), file.with_suffix(".key").read_text(encoding="utf-8")
        )
    except OSError as error:
        raise ProvisioningError(f"{error.filename}: cannot be read: {error.strerror}") from error


class _Work:
    """On one machine, from the first look to the end."""

    def __init__(self, remote: Remote, site: Site, bundle: Bundle, dry_run: bool, tell: Tell) -> None:
        self._remote, self._site, self._bundle, self.dry_run, self.tell = remote, site, bundle, dry_run, tell
        self.replaces, self.revoked, self._left = "", False, True
        self.seen = look_at(remote)

    def check(self) -> None:
        """Raises `ProvisioningError`: this cannot come to a good end."""
        seen, manifest, target = self.seen, self._bundle.manifest, self._remote.target
        if seen.architecture != manifest.architecture:
            raise ProvisioningError(
                f"{target}: is {seen.architecture}, and {self._bundle.path.name} is for"
                f" {manifest.architecture}: make a bundle with --architecture {seen.architecture}"
            )
        if not seen.systemd:
            raise ProvisioningError(f"{target}: does not run systemd: {seen.system} cannot be a hub")
        allowed = self._site.machine.firewall
        if allowed.on and allowed.ssh_from and not _is_in(seen.from_address, allowed.ssh_from):
            raise ProvisioningError(
                f"machine.firewall.ssh_from leaves out {seen.from_address}, from which you are logged in: you"
                " would lock yourself out; add its network"
            )
        in_force = f"release {seen.in_force} in force" if seen.in_force else "no release yet"
        self.tell(f"{target}: {seen.system}, Python {seen.python}, {seen.architecture}; {in_force}")

    def check_who(self, authority: Authority | None, instead_of: Collection[str]) -> None:
        """Whose place it takes. Raises `ProvisioningError`: it is another hub today, or this hub is another
        machine, and nobody said that it is meant so."""
        seen, site, target = self.seen, self._site, self._remote.target
        if seen.hub and seen.hub != site.name:
            words = f"{target}: is {seen.hub} today, and {site.path.name} makes it {site.name}"
            if seen.hub not in instead_of:
                raise ProvisioningError(
                    f"{words}: is it the right machine, and the right file? If it is, give 'carehub"
                    f" provision' --instead-of {shlex.quote(seen.hub)}"
                )
            if seen.has_data and seen.hub.partition(".")[0] != site.config.site.id:
                raise ProvisioningError(
                    f"{words}: what was measured in the other home would be taken for this one's residents'."
                    f" Remove it first: ssh {target} 'sudo systemctl stop carehub carehub-page && sudo rm -r"
                    " /var/lib/carehub'"
                )
        if authority is None or not site.config.broker.tls:
            return
        other = machines.other_than(authority.directory, site.name, seen.machine)
        if other is not None and site.name not in instead_of:
            raise ProvisioningError(
                f"{target}: {site.name} was certified for another machine on {other.since}: is"
                f" {site.path.name} a copy that wants names of its own? If this machine takes the place of"
                f" that one, switch that off and give 'carehub provision' --instead-of {site.name}: what it"
                " has is then revoked"
            )
        self.replaces = other.number if other is not None else ""
        self.revoked = seen.certified and authority.is_revoked(site.name)
        if self.revoked and site.name not in instead_of:
            raise ProvisioningError(
                f"{target}: the authority has revoked {site.name}. Is it to be that hub again, with a new"
                f" key? Then give 'carehub provision' --instead-of {site.name}"
            )

    @property
    def new_key(self) -> str:
        """Why the machine has to make another key, in words; empty where it has not."""
        if self.replaces:
            return "another machine had this name"
        return "the authority has revoked the one it has" if self.revoked else ""

    def login(self) -> Login:
        """Whether SSH may be hardened: only where a key will still let this login in."""
        key_left = bool(self._site.machine.ssh.authorized_keys) or self.seen.keys > 0
        seen = self.seen
        ports = sorted({22, seen.port, *seen.ports})
        return Login(
            seen.login, tuple(ports), key_left, tuple(seen.key_files), tuple(seen.key_logins),
            seen.root_login, tuple(one_of_each_network((seen.from_address, *seen.addresses))),
        )  # fmt: skip

    def bring(self, slim: Callable[[str], Path] | None) -> str:
        """The release's bundle, where it is not in force: its path there, or nothing. Raises
        `ProvisioningError`: it cannot come there just now."""
        manifest, seen = self._bundle.manifest, self.seen
        payload = manifest.payloads.get(seen.python)
        if payload is None or payload.sha256 == seen.sha256 or self.dry_run:
            return ""
        target = self._remote.target
        if seen.on_probation:
            raise ProvisioningError(
                f"{target}: release {seen.in_force} is watched over until it has run for ten minutes in a"
                f" row, and {manifest.name} would take the place of the one to go back to: nothing was"
                " changed. Wait for that ('carehub update --state' there tells), or go back first ('carehub"
                " update --roll-back'), and run this again"
            )
        path = f"{seen.directory}/release.bundle"
        with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
            file = slim(seen.python) if slim is not None else self._bundle.slim(seen.python, Path(directory))
            self.tell(f"sending release {manifest.name}, {file.stat().st_size / 1e6:.0f} MB")
            with file.open("rb") as content:
                done = self._remote.run(f"cat >{shlex.quote(path)}", content)
        if done.code != 0:
            raise ProvisioningError(f"{target}: cannot take the release: {done.errors.strip()}")
        return path

    def apply(self, resources: Sequence[Resource]) -> list[Outcome]:
        """What the keeper made of the list; each is told as it comes, unless nothing changed. Raises
        `ProvisioningError`: it did not get through the list."""
        words = f"apply{' --dry-run' if self.dry_run else ''}"
        command = f"exec python3 -IS -c {shlex.quote(_KEEPER)} {shlex.quote(self.seen.directory)} {words}"
        found: list[Outcome] = []
        for line in self._remote.lines(command, to_json(resources).encode(), good=(0, SOME_FAILED)):
            if not line.startswith("{"):
                continue  # a login that greets everybody
            try:
                outcome = outcome_of(line)
            except ProvisioningError as error:
                raise ProvisioningError(f"{self._remote.target}: {error}") from error
            found.append(outcome)
            if outcome.change != "none":
                self.tell(
                    f"  {outcome.change}: {outcome.title}{f': {outcome.detail}' if outcome.detail else ''}"
                )
            if self.dry_run and outcome.diff:
                self.tell(outcome.diff.rstrip("\n"))
        # One at the least for each, but where one that failed says that the rest was not tried.
        if len(found) < len(resources) and not any(each.change == "failed" for each in found):
            raise ProvisioningError(
                f"{self._remote.target}: told of {len(found)} of {len(resources)} things only: what became of"
                " the others is not known. Run the same command again"
            )
        return found

    def ask(self) -> list[Finding]:
        """What the hub says of itself; nothing where there is none to ask."""
        # In one with what end() does: each costs a way there and back.
        self._left = False
        asked = f"{self._clean}; test -x /usr/local/bin/carehub || exit 0; {_DOCTOR}"
        try:
            done = self._remote.run(asked, seconds=_DOCTOR_SECONDS)
        except ProvisioningError as error:
            # What was applied is told all the same.
            return [Finding("doctor", "fail", f"cannot be asked: {error}")]
        try:
            return findings_of(done.output)
        except (ValueError, KeyError, TypeError):
            if not done.output.strip() and not done.errors.strip():
                return []
            last = (done.errors.strip() or done.output.strip()).splitlines()[-1]
            return [Finding("doctor", "fail", f"cannot be asked: {plain(last)}")]

    def end(self) -> None:
        """Leave nothing there but what was applied."""
        if self._left:
            with suppress(ProvisioningError):  # a day later the next one removes it
                self._remote.run(self._clean, seconds=30)

    @property
    def _clean(self) -> str:
        return f"rm -rf {shlex.quote(self.seen.directory)}"


def _is_in(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(each) for each in networks if ip_network(each).version == found.version)
