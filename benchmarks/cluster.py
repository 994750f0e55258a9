"""What a Ray cluster gains, and what it costs.

    python benchmarks/cluster.py --json

All single deletions and some random ones of a ResNet, images of 32×32, on two one-core nodes that
are started on this machine (`ray.cluster_utils.Cluster`). Every task has one thread. Each round
takes the same tasks with one worker of the cluster, with two, and in one and two bare processes of
the local engine. Networks are loaded and compiled before the clock starts; what
starting takes is in `seconds_to_start`.

- `sweep_two_workers`: how many times faster two workers are than one.
- `two_processes`: the same of bare processes. Two cores that others share rarely give 2.
- `of_limit`: the first by the second.
- `overhead`: seconds with one worker by seconds in one bare process.
- `bytes_per_lesion`: of images to and predictions from where it is computed; beside them, the
  bytes of the network and its plan, which are sent once to each node.

Needs two cores and `make install-cluster`. About 10 minutes.
"""

import os
import pickle
import statistics
import time
from collections.abc import Callable

from absl import app, flags
from our_resnet import random_network
from side_by_side import BOTH_OURS, FLAGS, Cost, announce, progress, report

from residual_ensembles import lesions
from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.runtime.cluster import TASKS_PER_SLOT, Ray
from residual_ensembles.runtime.executor import Executor, Serial
from residual_ensembles.runtime.local import Local

FLAGS.set_default("rounds", 3)
flags.DEFINE_integer("depth", 56, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("images", 600, "images of the sweep: two ranges", 64)
flags.DEFINE_integer("draws", 4, "random deletions of each number up to 10", 1)

NODE = {"num_cpus": 1, "object_store_memory": 300 * 2**20, "include_dashboard": False}
FIRST = {"first": 1.0}
"""A resource that one of the nodes has."""


class Workers(Ray):
    """Both workers of the cluster, or one: that of the node which has the resource."""

    alone = False

    def _set_task_resources(self, task_bytes):
        super()._set_task_resources(task_bytes)
        self.options |= {"resources": FIRST} if self.alone else {}

    def max_in_flight(self):
        return TASKS_PER_SLOT if self.alone else super().max_in_flight()


def network_and_plan() -> tuple:
    """Returns a random network, a plan and images."""
    chain, images, _ = random_network(FLAGS.depth, FLAGS.images)
    modules = lesions.deletable(chain)
    plan = lesions.single_deletions(modules)
    return chain, plan + lesions.random_deletions(modules, 10, FLAGS.draws, seed=0), images


def pickled_bytes(value: object) -> int:
    """Returns the size of a value as it is sent."""
    return len(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


class Counting(Serial):
    """Runs everything here and counts the bytes that would have been sent."""

    def __init__(self):
        super().__init__()
        self.networks = 0
        """Of networks and their plans."""
        self.images = 0
        self.results = 0

    def scatter(self, value):
        if isinstance(value, SweepSpec):
            self.networks += pickled_bytes(value)
        else:
            self.images += pickled_bytes(value)
        return value

    def run(self, *what, **how):
        results = super().run(*what, **how)
        self.results += sum(map(pickled_bytes, results))
        return results


class Sweep:
    """The sweep by one kind of workers, whose start is not counted.

    `settings` are attributes that the executor is given before.
    """

    def __init__(self, evaluate: Callable[[Executor], object], executor: Executor, **settings):
        self.evaluate = evaluate
        self.executor = executor
        self.settings = settings
        self.seconds: list[float] = []
        self.seconds_to_start = self.measured()

    def measured(self) -> float:
        """Returns what one sweep takes on the wall."""
        for name, value in self.settings.items():
            setattr(self.executor, name, value)
        begin = time.perf_counter()
        self.evaluate(self.executor)
        return time.perf_counter() - begin

    def run(self) -> None:
        """Times one sweep."""
        self.seconds.append(self.measured())

    def over(self, other: "Sweep") -> list[float]:
        """Returns the seconds of each round by those of another kind of workers."""
        return [mine / its for mine, its in zip(self.seconds, other.seconds, strict=True)]


def report_median(name: str, ratios: list[float], baseline: str, **more) -> None:
    """Reports the median of a ratio over the rounds; processor seconds are spent elsewhere."""
    value = Cost(statistics.median(ratios), 0.0)
    report(name, value, baseline, len(ratios), cpu_ratio=None, **more)


def main(_):
    from ray.cluster_utils import Cluster

    announce(BOTH_OURS)
    chain, plan, images = network_and_plan()

    def evaluate(executor: Executor) -> None:
        lesions.evaluate(chain, plan, images, executor=executor)

    counting = Counting()
    evaluate(counting)
    report(
        "bytes_per_lesion",
        None,
        "lesions of the plan",
        len(plan),
        bytes=(counting.images + counting.results) / len(plan),
        bytes_of_network=counting.networks,
    )
    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"resources": FIRST})
    cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = cluster.address
    begin = time.perf_counter()
    with Local(1) as one, Local(2) as two, Workers() as workers:
        connecting = time.perf_counter() - begin
        kinds = {
            "two workers": (both := Sweep(evaluate, workers, alone=False)),
            "one worker": (alone := Sweep(evaluate, workers, alone=True)),
            "one process": (process := Sweep(evaluate, one)),
            "two processes": (processes := Sweep(evaluate, two)),
        }
        for i in range(FLAGS.rounds):
            for name, kind in kinds.items():
                kind.run()
                progress(f"round {i + 1}, {name}: {kind.seconds[-1]:.1f} s")
    cluster.shutdown()

    start = connecting + both.seconds_to_start - statistics.median(both.seconds)
    gained, limit = alone.over(both), process.over(processes)
    report_median("sweep_two_workers", gained, "one worker of the cluster", seconds_to_start=start)
    report_median("two_processes", limit, "one bare process")
    shares = [gain / bound for gain, bound in zip(gained, limit, strict=True)]
    report_median("of_limit", shares, "two_processes")
    report_median("overhead", alone.over(process), "the local engine in one process of one thread")


if __name__ == "__main__":
    app.run(main)
