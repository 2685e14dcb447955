"""Set a hub's machine up over SSH: look at it, bring the release if it lacks it, apply, sign, ask the hub.

Whatever interrupts it, the same again does the rest: what is applied is applied whole.
"""

from __future__ import annotations

import io
import json
import shlex
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from provisioning.authority import Authority
from provisioning.bundle import Bundle
from provisioning.errors import ProvisioningError
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.resources import Outcome, Resource, outcomes_from, to_json
from provisioning.plan import Login, PagePair, before_certificate, desired, keeper_files, with_certificate
from provisioning.remote import Reach, Remote
from provisioning.report import Finding, Report, merged
from provisioning.site_file import Site

Tell = Callable[[str], None]
_NO_PYTHON, _OLD_PYTHON = 97, 98
_DOCTOR = "/usr/local/bin/carehub doctor --json"
_DOCTOR_SECONDS = 120.0
_LOOK = (
    "import sys; sys.version_info < (3, 11) and sys.exit(98); sys.dont_write_bytecode = True;"
    " sys.path.insert(0, sys.argv[1]); import json; from pathlib import Path;"
    " from provisioning.keeper.look import look; from provisioning.keeper.places import Places;"
    " print(json.dumps({'directory': sys.argv[1], 'login': sys.argv[2], 'connection': sys.argv[3],"
    " **look(Places(), sys.argv[2])}))"
)
_BEGIN = (
    "command -v python3 >/dev/null || exit 97;"
    " find /var/tmp -maxdepth 1 -name 'carehub-provisioning.*' -mmin +1440 -exec rm -rf {} + 2>/dev/null;"
    ' d=$(mktemp -d /var/tmp/carehub-provisioning.XXXXXXXX) && tar -xmf - -C "$d"'
    f' && python3 -I -c {shlex.quote(_LOOK)} "$d" "$1" "$2" || {{ code=$?; rm -rf "$d"; exit $code; }}'
)
_KEEPER = (
    "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1));"
    " from provisioning.keeper.__main__ import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """The machine, as it was found. `directory` there holds the keeper that works now."""

    directory: str
    login: str
    connection: str
    architecture: str
    python: str
    system: str
    systemd: bool
    in_force: str
    certified: bool
    sha256: str
    keys: int

    @property
    def from_address(self) -> str:
        """From which address this machine is seen to log in."""
        return (self.connection.split() or [""])[0].partition("%")[0]

    @property
    def port(self) -> int:
        """At which port its sshd was reached."""
        words = self.connection.split()
        return int(words[3]) if len(words) == 4 and words[3].isdigit() else 22


def provision(
    target: str,
    site: Site,
    bundle: Bundle,
    *,
    signers: str = "",
    certificate: str = "",
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
            path = work.bring(slim)
            login = work.login()
            resources = desired(
                site, ca_pem, bundle.manifest, work.seen.python, signers, certificate, path,
                login=login, page=_page(site, authority, dry_run),
            )  # fmt: skip
            outcomes, to_do = _applied(site, authority, resources, certificate, work)
            if site.machine.ssh.harden and not login.harden:
                outcomes.append(
                    Outcome(
                        "ssh hardening",
                        "failed",
                        f"{login.name} has no authorized key there, and would be locked out: give"
                        " machine.ssh.authorized_keys, or ssh-copy-id one",
                    )
                )
            hub = [] if dry_run else work.ask()
        finally:
            work.end()
    return Report(
        target, site.name, bundle.manifest.name, dry_run, time.monotonic() - begun,
        tuple(outcomes), tuple(hub), site.warnings, tuple(to_do),
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
        names = (site.config.site.id, site.config.hub.id)
        resources = with_certificate(resources, authority.sign_hub(request, site.name, names))
    elif not in_two:
        return outcomes, []
    return merged(outcomes, work.apply(resources)), []


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
    file = authority.directory / f"{settings.names[0]}.crt"
    if dry_run and not file.exists():
        return None
    if not dry_run:
        # By its own name too: so it is told where no other is.
        file = authority.page([*settings.names, *({site.host_name} - set(settings.names))])
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
        self.seen = self._look()

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

    def login(self) -> Login:
        """Whether SSH may be hardened: only where a key will still let this login in."""
        key_left = bool(self._site.machine.ssh.authorized_keys) or self.seen.keys > 0
        return Login(self.seen.login, tuple(sorted({22, self.seen.port})), key_left)

    def bring(self, slim: Callable[[str], Path] | None) -> str:
        """The release's bundle, where it is not in force: its path there, or nothing."""
        manifest, seen = self._bundle.manifest, self.seen
        payload = manifest.payloads.get(seen.python)
        if payload is None or payload.sha256 == seen.sha256 or self.dry_run:
            return ""
        path = f"{seen.directory}/release.bundle"
        with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
            file = slim(seen.python) if slim is not None else self._bundle.slim(seen.python, Path(directory))
            self.tell(f"sending release {manifest.name}, {file.stat().st_size / 1e6:.0f} MB")
            with file.open("rb") as content:
                done = self._remote.run(f"cat >{shlex.quote(path)}", content)
        if done.code != 0:
            raise ProvisioningError(f"{self._remote.target}: cannot take the release: {done.errors.strip()}")
        return path

    def apply(self, resources: Sequence[Resource]) -> list[Outcome]:
        """What the keeper made of the list; each is told as it comes, unless nothing changed."""
        words = f"apply{' --dry-run' if self.dry_run else ''}"
        command = f"exec python3 -I -c {shlex.quote(_KEEPER)} {shlex.quote(self.seen.directory)} {words}"
        found: list[Outcome] = []
        for line in self._remote.lines(command, to_json(resources).encode()):
            try:
                outcome = outcomes_from([line])[0]
            except KeeperError as error:
                raise ProvisioningError(f"{self._remote.target}: {error}") from error
            found.append(outcome)
            if outcome.change != "none":
                self.tell(
                    f"  {outcome.change}: {outcome.title}{f': {outcome.detail}' if outcome.detail else ''}"
                )
            if self.dry_run and outcome.diff:
                self.tell(outcome.diff.rstrip("\n"))
        return found

    def ask(self) -> list[Finding]:
        """What the hub says of itself; nothing where there is none to ask."""
        done = self._remote.run(
            f"test -x /usr/local/bin/carehub || exit 0; {_DOCTOR}", seconds=_DOCTOR_SECONDS
        )
        try:
            found = json.loads(done.output)
            rows = found["findings"] if isinstance(found, dict) else found
            return [
                Finding(str(row["part"]), str(row["verdict"]), str(row["words"]), str(row.get("todo", "")))
                for row in rows
            ]
        except (ValueError, KeyError, TypeError):
            if not done.output.strip() and not done.errors.strip():
                return []
            last = (done.errors.strip() or done.output.strip()).splitlines()[-1]
            return [Finding("doctor", "fail", f"cannot be asked: {last}")]

    def end(self) -> None:
        """Leave nothing there but what was applied."""
        with suppress(ProvisioningError):  # a day later the next one removes it
            self._remote.run(f"rm -rf {shlex.quote(self.seen.directory)}", seconds=30)

    def _look(self) -> Seen:
        done = self._remote.run(_BEGIN, _keeper_archive(), seconds=60)
        target = self._remote.target
        if done.code in (_NO_PYTHON, _OLD_PYTHON):
            what = "has no python3" if done.code == _NO_PYTHON else "has a Python before 3.11"
            raise ProvisioningError(
                f"{target}: {what}: a hub needs Debian 12 or 13, or Raspberry Pi OS of Bookworm or Trixie"
                " (64-bit); write its card anew"
            )
        try:
            return Seen(**json.loads(done.output.strip().splitlines()[-1]))
        except (ValueError, IndexError, TypeError) as error:
            said = (done.errors.strip() or done.output.strip() or f"exit code {done.code}").splitlines()[-1]
            raise ProvisioningError(f"{target}: cannot be looked at: {said}") from error


def _keeper_archive() -> bytes:
    """The keeper as a tar, for a machine that has none or another."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in keeper_files():
            entry = tarfile.TarInfo(f"provisioning/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def _is_in(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(each) for each in networks if ip_network(each).version == found.version)
