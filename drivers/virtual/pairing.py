"""How a virtual sensor pairs, and what becomes of its bonds."""

from __future__ import annotations

from bumble.device import Connection, Device
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import ErrorCode, IoCapability, Session, SMP_Pairing_Request_Command

from drivers.virtual.profiles import Bond, Profile

_LONG_TERM_KEY_ONLY = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY


class SensorPairing:
    """A sensor's side of pairing. `refuses` makes it refuse to bond, whatever its profile says."""

    def __init__(self, device: Device, profile: Profile) -> None:
        self.refuses = profile.bond is Bond.CANNOT
        self._profile = profile
        assert isinstance(device.keystore, MemoryKeyStore)
        self._bonds = device.keystore.all_keys
        device.pairing_config_factory = self._how_to_pair
        if profile.bond is Bond.WITH_PASSKEY:
            device.smp_session_proxy = _PasskeySession

    @property
    def bonded(self) -> bool:
        """Whether it has a bond with anybody."""
        return bool(self._bonds)

    def lose_bonds(self) -> None:
        """Forget with whom it was bonded: its battery was changed, or it was paired anew with a phone."""
        self._bonds.clear()

    def change_keys(self) -> None:
        """Have other keys than those agreed on."""
        for keys in self._bonds.values():
            assert keys.ltk is not None
            keys.ltk.value = bytes(byte ^ 0xFF for byte in keys.ltk.value)

    def _how_to_pair(self, _connection: Connection) -> PairingConfig:
        passkey = self._profile.passkey if self._profile.bond is Bond.WITH_PASSKEY else None
        return PairingConfig(mitm=passkey is not None, delegate=_Display(passkey, refuses=self.refuses))


class _Display(PairingDelegate):
    """A sensor shows a passkey, or has it printed on its back; or it has nothing of the kind."""

    def __init__(self, passkey: int | None, *, refuses: bool) -> None:
        super().__init__(
            self.NO_OUTPUT_NO_INPUT if passkey is None else self.DISPLAY_OUTPUT_ONLY,
            _LONG_TERM_KEY_ONLY,
            _LONG_TERM_KEY_ONLY,
        )
        self._passkey = passkey
        self._refuses = refuses

    async def accept(self) -> bool:
        """Whether to pair at all."""
        return not self._refuses

    async def generate_passkey(self) -> int:
        """The passkey that is shown."""
        assert self._passkey is not None
        return self._passkey


class _PasskeySession(Session):
    """Pairing that insists on a passkey: whoever can enter none is refused (Core Specification 3.H.3.5.5)."""

    def on_smp_pairing_request_command(self, command: SMP_Pairing_Request_Command) -> None:
        """The hub begins to pair."""
        if command.io_capability == IoCapability.NO_INPUT_NO_OUTPUT:
            self.send_pairing_failed(ErrorCode.AUTHENTICATION_REQUIREMENTS)
        else:
            super().on_smp_pairing_request_command(command)
