"""Encoders and decoders: what users say about types of their own."""

from __future__ import annotations

import dataclasses
import enum
import sys
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

import portpool
from portpool import Atom, _codec, _extend, _say


def through(value: Any) -> Any:
    """What a value is once it has been pickled: the server sees no more of it."""
    return _codec.loads(b"".join(_codec.dumps(value)))


class Registered(unittest.TestCase):
    """Whatever a test registers goes with it."""

    def setUp(self) -> None:
        for table in (_codec.encoders, _extend._decoders):
            before = dict(table)
            self.addCleanup(table.update, before)
            self.addCleanup(table.clear)
        self.addCleanup(_codec.TermPickler.dispatch_table.clear)


class Encoders(Registered):
    def refusal(self, value: Any) -> _codec.Unencodable:
        with self.assertRaises(_codec.Unencodable) as caught:
            _codec.dumps(value)
        return caught.exception

    def test_an_encoder_is_a_decorator_and_a_function(self) -> None:
        class Money:
            amount = 3

        @portpool.encoder(Money)
        def encode(money: Money) -> Any:
            return ["money", money.amount]

        self.assertEqual(encode(Money()), ["money", 3])
        self.assertEqual(through({"a": (Money(),)}), {"a": (["money", 3],)})
        portpool.encoder(Money, lambda money: money.amount)
        self.assertEqual(through([Money()]), [3])

    def test_it_counts_from_the_next_value_on_also_for_types_that_were_seen(self) -> None:
        class Late:
            pass

        self.assertEqual(self.refusal(Late()).type_name, _say.type_name(Late))
        portpool.encoder(Late, lambda late: 1)
        self.assertEqual(through([Late()]), [1])

    def test_the_nearest_class_counts_and_before_all_other_rules(self) -> None:
        class Base:
            pass

        class Text(str, Base):
            pass

        class Table(dict):  # type: ignore[type-arg]
            pass

        class Tone(enum.Enum):
            LOW = 1

        @dataclasses.dataclass
        class Stop(Base):
            name: str = "a"

        portpool.encoder(Base, lambda value: "base")
        self.assertEqual(through([Text("x"), Stop()]), ["base", "base"])
        portpool.encoder(Stop, lambda stop: Text(stop.name))
        portpool.encoder(Table, lambda table: [*table.items()])
        portpool.encoder(enum.Enum, lambda tone: tone.name)
        self.assertEqual(through([Text("x"), Stop(), Table(a=1), Tone.LOW]), ["base", "base", [("a", 1)], "LOW"])

    def test_one_that_raises_or_returns_its_argument_is_told_with_path_and_type(self) -> None:
        class Bad:
            def __init__(self, how: str) -> None:
                self.how = how

        @portpool.encoder(Bad)
        def encode(bad: Bad) -> Any:
            return {"itself": bad, "new": Bad(bad.how)}[bad.how]

        told = self.refusal({"k": [Bad("raises")]})
        self.assertEqual((told.path, told.type_name), ('key "k", element 1', _say.type_name(Bad)))
        self.assertIn("its encoder raised KeyError: 'raises'", told.message)
        told = self.refusal([1, Bad("itself")])
        self.assertEqual((told.path, told.type_name), ("element 2", _say.type_name(Bad)))
        self.assertIn("returned the value itself", told.message)
        self.assertIn("400 levels", self.refusal(Bad("new")).message)

    def test_values_that_have_no_form_are_found_behind_encoders(self) -> None:
        class Wrapper:
            pass

        portpool.encoder(Wrapper, lambda wrapper: {"inside": [object()]})
        self.assertEqual(self.refusal([Wrapper()]).path, 'element 1, key "inside", element 1')

    def test_what_can_have_none_is_refused_when_it_is_registered(self) -> None:
        function = type(lambda: None)
        for cls in (int, str, dict, list, tuple, set, frozenset, bytes, bytearray, bool, float, type(None), type, function, object):
            with self.assertRaises(TypeError):
                portpool.encoder(cls, lambda value: 1)
        for ours in (Atom, portpool.Opaque, portpool.Date, portpool.DateTime, portpool.Tensor):
            with self.assertRaisesRegex(TypeError, "it already becomes a term"):
                portpool.encoder(ours, lambda value: 1)
        with self.assertRaises(TypeError):
            portpool.encoder("Money", lambda value: 1)  # type: ignore[arg-type]


class Decoders(Registered):
    def test_a_decoder_gets_the_fields_without_the_name(self) -> None:
        seen: list[Any] = []

        @portpool.decoder("Elixir.Money")
        def decode(fields: dict[str, Any]) -> Any:
            seen.append(fields)
            return "money"

        fields = {Atom("__struct__"): Atom("Elixir.Money"), Atom("amount"): 3}
        self.assertEqual(_extend._struct(fields), "money")
        self.assertEqual(seen, [{"amount": 3}])
        self.assertEqual(decode({}), "money")

    def test_the_name_may_be_that_of_the_module_or_of_its_atom(self) -> None:
        for name in ("MyApp.Money", "Elixir.MyApp.Money", Atom("Elixir.MyApp.Money")):
            _extend._decoders.clear()
            portpool.decoder(name, lambda fields: "money")
            self.assertEqual(_extend._struct({Atom("__struct__"): Atom("Elixir.MyApp.Money")}), "money", name)
        portpool.decoder("money", lambda fields: "of Erlang")
        self.assertEqual(_extend._struct({Atom("__struct__"): Atom("money")}), "of Erlang")

    def test_a_struct_without_one_is_its_dict(self) -> None:
        fields = {Atom("__struct__"): Atom("Elixir.Other"), Atom("amount"): 3}
        self.assertIs(_extend._struct(fields), fields)
        self.assertEqual(len(fields), 2)

    def test_keys_that_only_python_can_look_through(self) -> None:
        self.assertEqual(_extend._dict(("a", 1, ("b",), 2)), {"a": 1, ("b",): 2})
        for pairs, says in ((("a", 1, "a", 2), "key collision"), (({}, 1), "must be hashable")):
            with self.assertRaisesRegex(_extend.Unhashable, says):
                _extend._dict(pairs)

    def test_structs_with_a_type_of_their_own_have_none(self) -> None:
        for name in ("Elixir.Date", "Date", "Portpool.Bytes", "Elixir.DateTime", "Elixir.Portpool.Tensor", "Elixir.Portpool.Bytes"):
            with self.assertRaises(ValueError):
                portpool.decoder(name, lambda fields: 1)
        with self.assertRaises(TypeError):
            portpool.decoder(Registered, lambda fields: 1)  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
