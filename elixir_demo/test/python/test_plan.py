"""What a plan keeps, whatever the job."""

from __future__ import annotations

import contextlib
import io
import json
import math
import unittest
from random import Random

from support import assert_holds, best_of, delivery, job, random_job

from auto_stacking import optimize


class Form(unittest.TestCase):
    def test_a_dict_gives_a_dict_and_text_gives_text(self) -> None:
        form = job(delivery("ä"), delivery(7, x=-3))
        plan = optimize(form)
        self.assertIsInstance(plan, dict)
        text = optimize(json.dumps(form))
        self.assertIsInstance(text, str)
        self.assertEqual(json.loads(text), plan)
        raw = optimize(json.dumps(form, ensure_ascii=False).encode())
        self.assertIsInstance(raw, bytes)
        self.assertEqual(json.loads(raw), plan)

    def test_the_plan_has_the_public_fields(self) -> None:
        plan = optimize(job(delivery("a", demand=2, earliest=50, service=3)))
        stack = {"deliveries": ["a"], "load": 2, "distance": 10.0, "start": 45.0, "end": 58.0}
        expected = {"feasible": True, "distance": 10.0, "vehicles": 1, "stacks": [stack], "unassigned": []}
        self.assertEqual(plan, expected)
        self.assertIsInstance(plan["stacks"][0]["load"], int)

    def test_the_job_is_not_changed_and_further_keys_do_no_harm(self) -> None:
        form = job(delivery(address="Mint Street 3"), name="Old Town", unit="minutes")
        before = json.dumps(form)
        self.assertTrue(optimize(form)["feasible"])
        self.assertEqual(json.dumps(form), before)

    def test_seconds_and_seed_have_defaults(self) -> None:
        form = job(delivery())
        del form["seconds"]
        self.assertTrue(optimize(form)["feasible"])

    def test_the_same_seed_gives_the_same_plan(self) -> None:
        # Eight deliveries: the search ends by itself, long before its time.
        form = job(*(delivery(i, x=i * 7 % 5, y=i * 3 % 7) for i in range(8)), seconds=60, seed=5)
        self.assertEqual(optimize(form), optimize(form))

    def test_nothing_is_printed(self) -> None:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            optimize(random_job(Random(1), 30))
        self.assertEqual((out.getvalue(), err.getvalue()), ("", ""))


class Property(unittest.TestCase):
    def test_plans_of_random_jobs_hold(self) -> None:
        for seed in range(50):
            random = Random(seed)
            form = random_job(random, random.choice([1, 2, 3, 8, 20, 60]), seed=seed)
            with self.subTest(seed=seed):
                assert_holds(self, form, optimize(form))

    def test_plans_of_small_jobs_are_the_best_there_are(self) -> None:
        for seed in range(30):
            form = random_job(Random(seed), 4, seed=seed)
            with self.subTest(seed=seed):
                plan = optimize(form)
                unassigned, distance = best_of(form)
                self.assertEqual(len(plan["unassigned"]), unassigned)
                self.assertAlmostEqual(plan["distance"], distance, delta=0.02)

    def test_plans_hold_at_every_scale(self) -> None:
        for scale in (1e-300, 1e-12, 1e-6, 1e-3, 1e3, 1e6, 1e9):
            random = Random(17)
            form = random_job(random, 25)
            form.update(max_vehicles=25, capacity=1e3, depot={"x": 0, "y": 0, "earliest": 0, "latest": 100 * scale})
            for stop in form["deliveries"]:
                stop.update((key, stop[key] * scale) for key in ("x", "y", "earliest", "latest", "service"))
            with self.subTest(scale=scale):
                plan = optimize(form)
                assert_holds(self, form, plan)
                self.assertEqual(len(plan["unassigned"]), len(optimize({**form, "seed": 2})["unassigned"]))
                self.assertGreater(plan["vehicles"], 2)
                self.assertGreater(len(plan["unassigned"]), 0)

    def test_a_search_that_has_no_time_still_gives_a_plan_that_holds(self) -> None:
        for seed in range(5):
            form = {**random_job(Random(seed), 80), "seconds": 1e-9}
            with self.subTest(seed=seed):
                assert_holds(self, form, optimize(form))


class Overload(unittest.TestCase):
    def test_a_job_too_large_for_its_vehicles_gets_the_largest_part_that_fits(self) -> None:
        form = job(*(delivery(i, x=i % 5) for i in range(25)), capacity=4, max_vehicles=3)
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertEqual((plan["feasible"], plan["vehicles"], len(plan["unassigned"])), (False, 3, 13))

    def test_what_cannot_be_served_alone_is_unassigned_and_the_rest_is_planned(self) -> None:
        hopeless = [
            delivery("too heavy", demand=11),
            delivery("too far", x=60),
            delivery("too early", latest=4),
            delivery("too late", earliest=99),
            delivery("too long", service=99),
            delivery("long past", earliest=-50, latest=-40),
            delivery("not today", earliest=500, latest=600),
        ]
        form = job(*hopeless, *(delivery(i, x=i) for i in range(8)), max_vehicles=9)
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertEqual(plan["unassigned"], [each["id"] for each in hopeless])

    def test_without_vehicles_all_are_unassigned(self) -> None:
        plan = optimize(job(delivery("a"), delivery("b"), max_vehicles=0))
        expected = {"feasible": False, "distance": 0.0, "vehicles": 0, "stacks": [], "unassigned": ["a", "b"]}
        self.assertEqual(plan, expected)

    def test_without_capacity_only_what_weighs_nothing_is_planned(self) -> None:
        plan = optimize(job(delivery("a"), delivery("letter", demand=0), capacity=0))
        self.assertEqual((plan["unassigned"], plan["vehicles"]), (["a"], 1))


class Edges(unittest.TestCase):
    def test_no_deliveries_is_a_feasible_plan_without_vehicles(self) -> None:
        expected = {"feasible": True, "distance": 0.0, "vehicles": 0, "stacks": [], "unassigned": []}
        self.assertEqual(optimize(job()), expected)
        self.assertEqual(optimize(job(max_vehicles=0, capacity=0)), expected)

    def test_all_at_the_depot(self) -> None:
        form = job(*(delivery(i, x=0, y=0) for i in range(12)))
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertEqual((plan["feasible"], plan["distance"]), (True, 0.0))

    def test_windows_that_are_met_to_the_dot(self) -> None:
        chain = [delivery(i, x=i, y=0, earliest=i, latest=i) for i in range(1, 10)]
        form = job(*chain, max_vehicles=1, depot={"x": 0, "y": 0, "earliest": 0, "latest": 18})
        self.assertTrue(optimize(form)["feasible"])
        diagonal = job(
            delivery(x=1, y=1, latest=math.sqrt(2)), depot={"x": 0, "y": 0, "earliest": 0, "latest": 2 * math.sqrt(2)}
        )
        self.assertTrue(optimize(diagonal)["feasible"])
        tenths = [delivery(i, x=i / 10, y=0, latest=i / 10) for i in range(1, 10)]
        self.assertTrue(optimize(job(*tenths, max_vehicles=1))["feasible"])

    def test_windows_narrower_than_the_unit_of_the_search(self) -> None:
        form = job(delivery("a", earliest=20.0001, latest=20.0002), delivery("b"), max_vehicles=1)
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertTrue(plan["feasible"])

    def test_fractions_of_demand_count_as_they_are_written(self) -> None:
        form = job(*(delivery(i, demand=0.1) for i in range(3)), capacity=0.3, max_vehicles=1)
        plan = optimize(form)
        self.assertEqual((plan["feasible"], plan["stacks"][0]["load"]), (True, 0.3))
        over = job(*(delivery(i, demand=0.1) for i in range(3)), capacity=0.29999, max_vehicles=1)
        self.assertEqual(len(optimize(over)["unassigned"]), 1)

    def test_no_limit_may_be_a_very_large_number(self) -> None:
        form = job(delivery(latest=2**63 - 1), delivery("b", x=-3, latest=1e300), capacity=10**30, max_vehicles=10**18)
        form["depot"]["latest"] = 2**64
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertTrue(plan["feasible"])

    def test_times_may_be_seconds_since_1970(self) -> None:
        epoch = 1_790_000_000
        form = job(
            *(delivery(i, x=i, earliest=epoch + 40 * i, latest=epoch + 60 * i) for i in range(10)),
            depot={"x": 0, "y": 0, "earliest": epoch, "latest": epoch + 3600},
        )
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertEqual(plan["unassigned"], [0])

    def test_numbers_of_the_largest_size_do_not_overflow(self) -> None:
        far = 1e12
        corners = [
            delivery(i, x=far * (-1) ** i, y=far * (-1) ** (i // 2), latest=1e300, service=far) for i in range(20)
        ]
        form = job(*corners, max_vehicles=20, depot={"x": -far, "y": far, "earliest": -far, "latest": 1e300})
        plan = optimize(form)
        assert_holds(self, form, plan)
        self.assertTrue(plan["feasible"])

    def test_a_courier_leaves_as_late_as_an_early_return_allows(self) -> None:
        form = job(
            delivery("a", earliest=30, latest=45, service=2),
            delivery("b", x=6, y=8, earliest=50, latest=60),
            max_vehicles=1,
        )
        stack = optimize(form)["stacks"][0]
        self.assertEqual((stack["start"], stack["end"]), (38.0, 60.0))


if __name__ == "__main__":
    unittest.main()
