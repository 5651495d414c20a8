"""The judge finds each way in which a plan can be wrong."""

from __future__ import annotations

import copy
import unittest
from typing import Any, Callable

from support import JsonObject, delivery, job

from auto_stacking import optimize
from auto_stacking._check import faults
from auto_stacking._job import parse

Plan = dict[str, Any]


class Check(unittest.TestCase):
    form: JsonObject
    plan: Plan

    @classmethod
    def setUpClass(cls) -> None:
        # Two couriers, three stops each; the window of each stop is narrow, so that every change shows.
        stops = [
            delivery(f"{side}{i}", x=side * i, y=0, demand=2, earliest=10 * i, latest=10 * i + 2)
            for side in (1, -1)
            for i in (1, 2, 3)
        ]
        cls.form = job(*stops, capacity=6, max_vehicles=2, depot={"x": 0, "y": 0, "earliest": 0, "latest": 33})
        cls.plan = optimize(cls.form)

    def found(self, change: Callable[[Plan], Any], **fields: Any) -> str:
        plan = copy.deepcopy(self.plan)
        change(plan)
        return "; ".join(faults(parse({**self.form, **fields}), plan))

    def test_a_good_plan_has_no_faults(self) -> None:
        self.assertEqual(len(self.plan["stacks"]), 2)
        self.assertEqual(self.found(lambda plan: None), "")

    def test_each_kind_of_fault_is_found(self) -> None:
        def moved(plan: Plan) -> None:
            plan["stacks"][0]["deliveries"].append(plan["stacks"][1]["deliveries"].pop())

        for change, fault in (
            (lambda plan: plan["stacks"][0]["deliveries"].pop(), "is in the plan 0 times"),
            (lambda plan: plan["unassigned"].append(plan["stacks"][0]["deliveries"][0]), "is in the plan 2 times"),
            (lambda plan: plan["stacks"][0]["deliveries"].append("ghost"), "'ghost' is not in the job"),
            (lambda plan: plan["stacks"][0]["deliveries"].reverse(), "begins at"),
            (moved, "is above the capacity"),
            (lambda plan: plan["stacks"][0].update(load=5), "load is 5"),
            (lambda plan: plan["stacks"][0].update(distance=5.0), "distance is 5.0"),
            (lambda plan: plan.update(distance=5.0), "not the sum"),
            (lambda plan: plan["stacks"][0].update(start=-1.0), "before the depot opens"),
            (lambda plan: plan["stacks"][0].update(start=12.0), "begins at"),
            (lambda plan: plan["stacks"][0].update(end=32.5), "ends at 32.5"),
            (lambda plan: plan.update(vehicles=1), "2 stacks, 1 vehicles counted"),
            (lambda plan: plan["stacks"].append({**plan["stacks"][0], "deliveries": []}), "no deliveries"),
        ):
            with self.subTest(fault=fault):
                self.assertIn(fault, self.found(change))

    def test_the_limits_of_the_job_are_checked(self) -> None:
        self.assertIn("above the capacity 5", self.found(lambda plan: None, capacity=5))
        self.assertIn("1 allowed", self.found(lambda plan: None, max_vehicles=1))
        closing = {**self.form["depot"], "latest": 32.9}
        self.assertIn("after the depot closes", self.found(lambda plan: None, depot=closing))


if __name__ == "__main__":
    unittest.main()
