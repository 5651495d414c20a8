"""The bundled jobs are what the generator makes, and all can be done."""

from __future__ import annotations

import json
import unittest

from support import ROOT, assert_holds

import job_generator
from auto_stacking import optimize

JOBS = ROOT / "priv" / "jobs"


class BundledJobs(unittest.TestCase):
    def test_the_generator_makes_the_same_bytes(self) -> None:
        self.assertEqual({path.name for path in JOBS.iterdir()}, {order.file_name for order in job_generator.ORDERS})
        for order in job_generator.ORDERS:
            with self.subTest(job=order.file_name):
                made = job_generator.text(job_generator.job(order)).encode()
                self.assertEqual((JOBS / order.file_name).read_bytes(), made)

    def test_every_job_has_a_hundred_deliveries_and_a_feasible_plan(self) -> None:
        for path in sorted(JOBS.iterdir()):
            form = {**json.loads(path.read_bytes()), "seconds": 0.3}
            with self.subTest(job=path.name):
                self.assertGreaterEqual(len(form["deliveries"]), 100)
                plan = optimize(form)
                assert_holds(self, form, plan)
                self.assertTrue(plan["feasible"])


if __name__ == "__main__":
    unittest.main()
