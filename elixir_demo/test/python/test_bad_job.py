"""A job that cannot be right is a ValueError that says which part of it and why."""

from __future__ import annotations

import json
import math
import unittest
from random import Random
from typing import Any

from support import delivery, job, random_job

from auto_stacking import optimize


class BadJob(unittest.TestCase):
    def refused(self, form: Any, *words: str) -> None:
        with self.assertRaises(ValueError) as caught:
            optimize(form)
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertLess(len(str(caught.exception)), 250)

    def test_a_bad_delivery_is_named_by_position_and_id(self) -> None:
        for fields, why in (
            ({"demand": -4}, '"demand" is -4, but it must be 0 or more'),
            ({"demand": "4"}, '"demand" is "4", but it must be a number'),
            ({"demand": True}, '"demand" is true, but it must be a number'),
            ({"demand": math.nan}, '"demand" is NaN, but it must be a finite number'),
            ({"demand": None}, '"demand" is null'),
            ({"demand": [1]}, '"demand" is a list of 1, but it must be a number'),
            ({"demand": {1}}, '"demand" is of type set, but it must be a number'),
            ({"demand": 1e13}, "beyond what can be computed with"),
            ({"demand": 10**5000}, '"demand" is an integer of 16610 bits'),
            ({"service": -0.5}, '"service" is -0.5'),
            ({"service": -math.inf}, '"service" is -Infinity, but it must be a finite number'),
            ({"x": math.inf}, '"x" is Infinity'),
            ({"x": "east"}, '"x" is "east"'),
            ({"x": -1e300}, "beyond what can be computed with"),
            ({"y": None}, '"y" is null'),
            ({"y": 10**400}, '"y" is an integer of 1329 bits'),
            ({"earliest": 60, "latest": 50}, "the window is the wrong way round: earliest 60 is after latest 50"),
            ({"earliest": False}, '"earliest" is false'),
            ({"latest": math.nan}, '"latest" is NaN'),
        ):
            with self.subTest(why=why):
                self.refused(job(delivery("a"), delivery("b-7", **fields)), 'deliveries[1] (id "b-7"): ', why)

    def test_a_missing_field_is_named(self) -> None:
        for key in ("x", "y", "demand", "earliest", "latest", "service"):
            broken = delivery(12)
            del broken[key]
            with self.subTest(key=key):
                self.refused(job(delivery(), broken), "deliveries[1] (id 12): ", f'"{key}" is missing')
        self.refused(job({"x": 1}), 'deliveries[0]: "id" is missing')
        for key in ("capacity", "max_vehicles", "depot", "deliveries"):
            form = job(delivery())
            del form[key]
            with self.subTest(key=key):
                self.refused(form, f'job: "{key}" is missing')
        for key in ("x", "y", "earliest", "latest"):
            form = job(delivery())
            del form["depot"][key]
            with self.subTest(key=key):
                self.refused(form, f'depot: "{key}" is missing')

    def test_an_id_is_a_string_or_an_integer_and_stands_once(self) -> None:
        for id in (True, 1.5, None, ["a"], {"a": 1}, b"a"):
            with self.subTest(id=id):
                self.refused(job(delivery("fine"), delivery(id)), "deliveries[1]", '"id" is')
        self.refused(
            job(delivery("a"), delivery("b"), delivery("a")), 'deliveries[2] (id "a")', "already taken by deliveries[0]"
        )
        self.refused(job(delivery(3), delivery(3)), "deliveries[1] (id 3)")
        self.assertTrue(optimize(job(delivery(3), delivery("3")))["feasible"])

    def test_a_hostile_id_does_no_harm(self) -> None:
        self.refused(job(delivery("x" * 10_000, demand=-1)), '"xxx', "...")
        self.refused(job(delivery("a\n\x00b", demand=-1)), r'"a\n\u0000b"')
        self.refused(job(delivery("\ud800", demand=-1)), r"\ud800")
        self.refused(job(delivery(-(10**5000), demand=-1)), "integer of 16610 bits")
        plan = json.loads(optimize(json.dumps(job(delivery("\ud800")))))
        self.assertEqual(plan["stacks"][0]["deliveries"], ["\ud800"])

    def test_bad_fields_of_the_job(self) -> None:
        for fields, why in (
            ({"capacity": -1}, 'job: "capacity" is -1'),
            ({"capacity": math.nan}, 'job: "capacity" is NaN'),
            ({"capacity": "200"}, 'job: "capacity" is "200"'),
            ({"max_vehicles": -1}, 'job: "max_vehicles" is -1'),
            ({"max_vehicles": 2.5}, 'job: "max_vehicles" is 2.5, but it must be an integer'),
            ({"max_vehicles": True}, 'job: "max_vehicles" is true'),
            ({"deliveries": {"a": 1}}, 'job: "deliveries" is an object of 1, but it must be a list'),
            ({"deliveries": "abc"}, 'job: "deliveries" is "abc", but it must be a list'),
            ({"deliveries": [7]}, "deliveries[0]: 7 is not an object with fields"),
            ({"deliveries": [delivery()] * 5001}, "5001 entries, but 5000 are the most"),
            ({"depot": [0, 0]}, "depot: a list of 2 is not an object with fields"),
            ({"depot": {"x": 0, "y": 0, "earliest": 9, "latest": 8}}, "depot: the window is the wrong way round"),
            ({"seconds": 0}, 'job: "seconds" is 0, but it must be above 0 and at most 3600'),
            ({"seconds": -2}, 'job: "seconds" is -2'),
            ({"seconds": 3601}, 'job: "seconds" is 3601'),
            ({"seconds": math.nan}, 'job: "seconds" is NaN'),
            ({"seconds": True}, 'job: "seconds" is true'),
            ({"seed": -1}, 'job: "seed" is -1'),
            ({"seed": 2**32}, 'job: "seed" is 4294967296'),
            ({"seed": 1.0}, 'job: "seed" is 1.0, but it must be an integer'),
        ):
            with self.subTest(why=why):
                self.refused(job(delivery(), **fields), why)

    def test_what_is_no_object_is_no_job(self) -> None:
        for form in (None, 7, 1.5, True, [], [job()], {1, 2}, object()):
            with self.subTest(form=form):
                self.refused(form, "job: ", "is not an object with fields")
        for text in ("null", "7", "[]", '"job"'):
            with self.subTest(text=text):
                self.refused(text, "job: ", "is not an object with fields")
                self.refused(text.encode(), "job: ", "is not an object with fields")

    def test_text_that_is_no_json(self) -> None:
        for text in ("", "{", "job", b"\xff\xfe\xfa", b"\x80", '{"capacity": 1,}', "1" * 10_000, '{"a": tru}'):
            with self.subTest(text=text[:20]):
                self.refused(text, "job: not readable as JSON: ")
        self.refused("[" * 1_000_000, "job: the JSON is nested too deep")
        self.refused('{"capacity": 1, "capacity": 2}', 'the key "capacity" stands twice in one object')

    def test_numbers_that_only_json_text_can_bring(self) -> None:
        text = json.dumps(job(delivery("a"), delivery("b", x="X")))
        for number in ("1e999", "NaN", "-Infinity", "1" * 400):
            with self.subTest(number=number[:20]):
                self.refused(text.replace('"X"', number), 'deliveries[1] (id "b"): "x" is ')

    def test_no_damage_to_a_job_raises_anything_but_a_value_error(self) -> None:
        junk: tuple[Any, ...] = (None, True, -1, 0, 2**70, 1e308, math.nan, "", "7", [], {}, [[]], b"")
        for seed in range(400):
            random = Random(seed)
            form = json.loads(json.dumps({**random_job(random, 3), "seconds": 0.001}))
            target = random.choice([form, form["depot"], *form["deliveries"]])
            key = random.choice([*target])
            damage = random.choice(junk)
            if random.random() < 0.2:
                del target[key]
            else:
                target[key] = damage
            with self.subTest(seed=seed, key=key, damage=damage):
                try:
                    self.assertIn("feasible", optimize(form))
                except ValueError as error:
                    self.assertRegex(str(error), r"^(job|depot|deliveries\[\d\].*): ")


if __name__ == "__main__":
    unittest.main()
