"""Keys are written down by hand: by the numbers of Linux's input-event-codes.h, which a USB reader's boot
keyboard reports become (usage 04, "a", is KEY_A, 30)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.usb.bus import Key
from drivers.usb.wedge import LONGEST, PAUSE, ScanLostError, Wedge, as_typed

SHIFT, RIGHT_SHIFT, ENTER, KEYPAD_ENTER, TAB = 42, 54, 28, 96, 15
CAPS_LOCK, NUM_LOCK, CTRL, ALT = 58, 69, 29, 56
F8, KEY_2, KEY_J, KEY_A, BACKSLASH = 66, 3, 36, 30, 43

# Each key that both a British and an American keyboard type the same with, without and with shift.
PLAIN = {
    2: "1", 3: "2", 4: "3", 5: "4", 6: "5", 7: "6", 8: "7", 9: "8", 10: "9", 11: "0", 12: "-", 13: "=",
    16: "Q", 17: "W", 18: "E", 19: "R", 20: "T", 21: "Y", 22: "U", 23: "I", 24: "O", 25: "P",
    26: "[", 27: "]", 30: "A", 31: "S", 32: "D", 33: "F", 34: "G", 35: "H", 36: "J", 37: "K", 38: "L",
    39: ";", 40: "'", 44: "Z", 45: "X", 46: "C", 47: "V", 48: "B", 49: "N", 50: "M", 51: ",", 52: ".",
    53: "/", 57: " ", 55: "*", 71: "7", 72: "8", 73: "9", 74: "-", 75: "4", 76: "5", 77: "6", 78: "+",
    79: "1", 80: "2", 81: "3", 82: "0", 83: ".", 98: "/",
}  # fmt: skip
SHIFTED = {
    2: "!", 5: "$", 6: "%", 7: "^", 8: "&", 9: "*", 10: "(", 11: ")", 12: "_", 13: "+",
    26: "{", 27: "}", 39: ":", 51: "<", 52: ">", 53: "?", 57: " ",
    **{key: letter for key, letter in PLAIN.items() if letter.isalpha()},
}  # fmt: skip
KEYS = {sign: (key, False) for key, sign in PLAIN.items()} | {
    sign: (key, True) for key, sign in SHIFTED.items() if not sign.isalpha() and sign not in PLAIN.values()
}
SIGNS = "".join(sorted(KEYS))


def tap(*codes: int) -> list[Key]:
    """Each key goes down and comes up."""
    return [key for code in codes for key in (Key(code), Key(code, down=False))]


def shifted(*codes: int, shift: int = SHIFT) -> list[Key]:
    return [Key(shift), *tap(*codes), Key(shift, down=False)]


def typed(text: str) -> list[Key]:
    return [key for sign in text for key in (shifted(KEYS[sign][0]) if KEYS[sign][1] else tap(KEYS[sign][0]))]


class Reader:
    """Types on a wedge, a key every 10 ms; what came of it: codes, and losses as errors."""

    def __init__(self) -> None:
        self.wedge = Wedge()
        self.at = 100.0
        self.heard: list[str | ScanLostError] = []

    def types(self, *keys: Key | None, every: float = 0.01) -> Reader:
        for key in keys:
            self.at += every
            try:
                code = self.wedge.press(key, self.at)
            except ScanLostError as error:
                self.heard.append(error)
            else:
                self.heard += [code] if code is not None else []
        return self

    def pauses(self, seconds: float = PAUSE + 0.1) -> Reader:
        self.at += seconds
        return self

    def waits(self) -> Reader:
        """Nothing more is typed, and the hub looks when the wedge has asked for it."""
        if self.wedge.due is not None:
            self.at = max(self.at, self.wedge.due)
            try:
                self.wedge.wait(self.at)
            except ScanLostError as error:
                self.heard.append(error)
        return self

    @property
    def in_brief(self) -> list[str]:
        """The codes, and "lost" for each loss."""
        return [heard if isinstance(heard, str) else "lost" for heard in self.heard]


# --- codes


def test_an_nhs_number_on_the_digit_keys() -> None:
    # 9434765919: keys 10 5 4 5 8 7 6 10 2 10
    assert Reader().types(*tap(10, 5, 4, 5, 8, 7, 6, 10, 2, 10, ENTER)).heard == ["9434765919"]


@pytest.mark.parametrize("end", [ENTER, KEYPAD_ENTER, TAB])
def test_enter_or_tab_ends_a_code(end: int) -> None:
    assert Reader().types(*tap(79, 80, 81, end)).heard == ["123"]


@pytest.mark.parametrize(("key", "sign"), PLAIN.items())
def test_what_each_key_types(key: int, sign: str) -> None:
    # between two others, since blanks at the ends do not count
    assert Reader().types(*tap(KEY_A, key, KEY_A, ENTER)).heard == [f"A{sign}A"]


@pytest.mark.parametrize("shift", [SHIFT, RIGHT_SHIFT])
@pytest.mark.parametrize(("key", "sign"), SHIFTED.items())
def test_what_each_key_types_with_shift(key: int, sign: str, shift: int) -> None:
    keys = (*tap(KEY_A), *shifted(key, shift=shift), *tap(KEY_A, ENTER))
    assert Reader().types(*keys).heard == [f"A{sign}A"]


@pytest.mark.parametrize(
    "key", set(range(1, 256)) - PLAIN.keys() - {SHIFT, RIGHT_SHIFT, 28, 96, 15, 58, 69, 70}
)
def test_any_other_key_loses_the_code(key: int) -> None:
    assert Reader().types(*tap(2, key, 3, ENTER)).in_brief == ["lost"]


@pytest.mark.parametrize("key", PLAIN.keys() - SHIFTED.keys())
def test_any_other_key_loses_the_code_with_shift(key: int) -> None:
    assert Reader().types(*tap(2), *shifted(key), *tap(3, ENTER)).in_brief == ["lost"]


@pytest.mark.parametrize("keys", [tap(BACKSLASH), tap(86), tap(41), shifted(KEY_2), shifted(4), shifted(40)])
def test_a_sign_that_british_and_american_keyboards_type_differently_is_not_guessed(keys: list[Key]) -> None:
    (lost,) = Reader().types(*tap(KEY_A), *keys, *tap(ENTER)).heard
    assert "British and American" in str(lost)


@pytest.mark.parametrize("command", [CTRL, 97, ALT, 100, 125])
def test_a_reader_that_holds_ctrl_or_alt_is_to_be_set_otherwise(command: int) -> None:
    # A GS1 separator, as many readers type it: Ctrl and "]".
    keys = [Key(command), *tap(27), Key(command, down=False)]
    (lost,) = Reader().types(*tap(KEY_A), *keys, *tap(KEY_A, ENTER)).heard
    assert "set the reader" in str(lost)


def test_letters_are_capitals_however_they_are_typed() -> None:
    reader = Reader().types(*tap(KEY_A, 48, ENTER)).types(*shifted(KEY_A), *tap(48, ENTER))
    assert reader.types(*tap(CAPS_LOCK, KEY_A, 48, CAPS_LOCK, ENTER)).heard == ["AB"] * 3


def test_num_lock_changes_nothing() -> None:
    assert Reader().types(*tap(NUM_LOCK, 79, 80, NUM_LOCK, ENTER)).heard == ["12"]


def test_shift_may_be_let_go_before_the_key_that_it_was_for() -> None:
    keys = [Key(SHIFT), Key(12), Key(SHIFT, down=False), Key(12, down=False), *tap(12, ENTER)]
    assert Reader().types(*keys).heard == ["_-"]


def test_shift_holds_while_other_keys_come_up() -> None:
    keys = [*tap(KEY_A), Key(SHIFT), *tap(12), *tap(12), Key(SHIFT, down=False), *tap(KEY_A, ENTER)]
    assert Reader().types(*keys).heard == ["A__A"]


def test_one_of_two_shifts_still_holds() -> None:
    keys = [Key(SHIFT), Key(RIGHT_SHIFT), *tap(12), Key(SHIFT, down=False), *tap(12)]
    assert Reader().types(*keys, Key(RIGHT_SHIFT, down=False), *tap(12, ENTER)).heard == ["__-"]


def test_keys_may_overlap() -> None:
    keys = [Key(2), Key(3), Key(2, down=False), Key(4), Key(3, down=False), Key(4, down=False), *tap(ENTER)]
    assert Reader().types(*keys).heard == ["123"]


def test_blanks_around_a_code_do_not_count_and_those_in_it_do() -> None:
    assert Reader().types(*typed("  R 0412  "), *tap(ENTER)).heard == ["R 0412"]


def test_what_comes_before_a_code_is_of_it() -> None:
    """An AIM identifier, or a GS1 one: nothing is taken off."""
    assert Reader().types(*typed("]C1(8018)123"), *tap(ENTER)).heard == ["]C1(8018)123"]


def test_two_enters_are_one_end() -> None:
    assert Reader().types(*tap(2, ENTER, ENTER, 3, ENTER, ENTER)).heard == ["1", "2"]


def test_the_same_code_again_is_told_again() -> None:
    assert Reader().types(*tap(2, ENTER)).pauses(5).types(*tap(2, ENTER)).heard == ["1", "1"]


def test_a_code_that_somebody_wrote_down_is_compared_as_it_is_typed() -> None:
    assert as_typed(" r-0412\n") == Reader().types(*typed("R-0412"), *tap(ENTER)).heard[0]


# --- what is lost


def test_lost_keys_lose_the_code_and_the_rest_of_it_is_no_code() -> None:
    # 12[lost: 3 4]56 Enter: "56", or "1256", may be somebody else's
    assert Reader().types(*tap(2, 3), None, *tap(6, 7, ENTER)).in_brief == ["lost"]


def test_lost_keys_are_told_even_where_nothing_was_being_typed() -> None:
    """The whole of a scan may be among them."""
    assert Reader().types(None).in_brief == ["lost"]


def test_after_lost_keys_the_next_code_is_read_again() -> None:
    reader = Reader().types(*tap(2), None, *tap(6, ENTER))
    assert reader.types(*tap(7, ENTER)).in_brief == ["lost", "6"]


def test_a_shift_that_came_up_among_lost_keys_does_not_hold_for_ever() -> None:
    reader = Reader().types(Key(SHIFT), None, *tap(ENTER, 12, ENTER))
    reader.types(Key(SHIFT)).pauses().types(*tap(12, ENTER))
    assert reader.in_brief == ["lost", "-", "-"]


def test_what_is_lost_is_told_once() -> None:
    keys = [*tap(2, F8, F8, 3), None, *typed("4" * 2 * LONGEST), *tap(F8, ENTER)]
    assert Reader().types(*keys).in_brief == ["lost"]


def test_what_stops_in_the_middle_is_lost_and_so_is_what_may_be_its_rest() -> None:
    """12, a pause, 3 Enter: "3" may be somebody else's wristband."""
    reader = Reader().types(*tap(2, 3)).pauses().types(*tap(4, ENTER)).types(*tap(5, ENTER))
    assert reader.in_brief == ["lost", "lost", "4"]


def test_an_enter_alone_is_the_rest_as_well() -> None:
    reader = Reader().types(*tap(2, 3)).pauses().types(*tap(ENTER, 4, ENTER))
    assert reader.in_brief == ["lost", "3"]


def test_what_has_no_end_is_told_though_nothing_follows() -> None:
    assert Reader().types(*tap(2, 3)).waits().in_brief == ["lost"]


def test_it_is_told_once_where_something_follows_after_all() -> None:
    reader = Reader().types(*tap(2, 3)).waits().types(*tap(4))
    assert reader.in_brief == ["lost"]
    assert reader.types(*tap(ENTER, 5, ENTER)).in_brief == ["lost", "lost", "4"]


def test_nothing_is_due_between_two_codes() -> None:
    reader = Reader()
    assert reader.wedge.due is None
    assert reader.types(Key(2)).wedge.due == pytest.approx(reader.at + PAUSE)
    assert reader.types(*tap(ENTER)).waits().wedge.due is None
    assert reader.heard == ["1"]


def test_what_was_told_as_lost_is_not_told_again_after_a_pause() -> None:
    assert Reader().types(*tap(2, F8)).pauses().types(*tap(4, ENTER)).in_brief == ["lost", "3"]


def test_a_code_may_not_be_too_long() -> None:
    longest = "7" * LONGEST
    assert Reader().types(*typed(longest), *tap(ENTER)).heard == [longest]
    assert Reader().types(*typed(longest + "7"), *tap(ENTER)).in_brief == ["lost"]


def test_a_flood_of_keys_is_not_kept() -> None:
    reader = Reader().types(*itertools.islice(itertools.cycle(tap(2)), 20_000))
    assert reader.in_brief == ["lost"]
    assert reader.pauses().types(*tap(3, ENTER)).in_brief == ["lost", "2"]


def test_blanks_alone_are_no_code() -> None:
    assert Reader().types(*tap(57, 57, ENTER)).in_brief == ["lost"]


def test_a_key_that_is_held_down_is_no_readers() -> None:
    keys = [Key(2), Key(2, repeats=True), Key(2, down=False), *tap(ENTER)]
    assert Reader().types(*keys).in_brief == ["lost"]


def test_a_shift_or_an_enter_that_is_held_down_changes_nothing() -> None:
    keys = [Key(SHIFT), Key(SHIFT, repeats=True), *tap(12), Key(SHIFT, down=False)]
    assert Reader().types(*keys, Key(ENTER), Key(ENTER, repeats=True), Key(ENTER, down=False)).heard == ["_"]


@pytest.mark.parametrize(("every", "heard"), [(0.05, ["9434765919"]), (0.09, ["lost"]), (0.25, ["lost"])])
def test_who_types_as_slowly_as_people_is_no_reader(every: float, heard: list[str]) -> None:
    """Down and up are a key each: 10, 5.6 and 2 digits a second."""
    assert Reader().types(*typed("9434765919"), *tap(ENTER), every=every).in_brief == heard


def test_a_short_code_may_be_typed_in_half_a_second() -> None:
    assert Reader().types(*typed("1"), *tap(ENTER), every=0.2).heard == ["1"]


@given(st.lists(st.sampled_from([*typed("AB12_"), *tap(ENTER, F8, SHIFT, CAPS_LOCK), None]), max_size=60))
def test_no_reason_says_what_was_typed(keys: list[Key | None]) -> None:
    for heard in Reader().types(*typed("7Q7"), *keys).waits().heard:
        assert isinstance(heard, str) or "7Q7" not in str(heard)


# --- any code, and any damage to it

CODES = st.text(SIGNS, min_size=1, max_size=LONGEST).filter(lambda code: code == code.strip())


@given(st.lists(CODES, max_size=4))
def test_every_code_is_read_as_it_was_typed(codes: list[str]) -> None:
    reader = Reader()
    for code in codes:
        reader.types(*typed(code), *tap(ENTER))
    assert reader.heard == codes


@given(st.lists(CODES, min_size=3, max_size=3), st.data())
def test_a_damaged_code_is_told_and_the_next_but_one_is_read(codes: list[str], data: st.DataObject) -> None:
    """Wherever keys are lost: no code is read that was not scanned whole."""
    keys: list[Key | None] = [key for code in codes[:2] for key in (*typed(code), *tap(ENTER))]
    first = data.draw(st.integers(0, len(keys) - 1))
    after = data.draw(st.integers(first, min(len(keys), first + 20)))
    reader = Reader().types(*keys[:first], None, *keys[after:])
    reader.waits().pauses().types(*typed(codes[2]), *tap(ENTER))
    assert "lost" in reader.in_brief
    assert reader.heard[-1] == codes[2]
    for heard in reader.heard:
        assert isinstance(heard, ScanLostError) or heard in codes


@given(
    st.lists(
        st.one_of(st.none(), st.builds(Key, st.integers(0, 300), st.booleans(), st.booleans())), max_size=200
    )
)
def test_any_keys_give_codes_of_known_signs_and_nothing_else(keys: list[Key | None]) -> None:
    for heard in Reader().types(*keys, every=0.001).waits().heard:
        if isinstance(heard, str):
            assert heard == heard.strip()
            assert 0 < len(heard) <= LONGEST
            assert set(heard) <= set(SIGNS)
