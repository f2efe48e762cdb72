"""The suites' environments: loaded once, with a text planted at every place where outsiders can write."""

import copy
import warnings
from typing import Any

import yaml

from benchmarks.containment.attacks import Act

_MARK = "PLANTED{}HERE"


class World:
    """One suite: fresh environments, and its tools, executed on them."""

    def __init__(self, suite: Any) -> None:
        self.suite = suite
        self.vectors: dict[str, str] = suite.get_injection_vector_defaults()
        self._marks = {name: _MARK.format(index) for index, name in enumerate(self.vectors)}
        module = __import__("agentdojo.task_suite.task_suite", fromlist=["read_suite_file"])
        text = module.read_suite_file(suite.name, "environment.yaml", suite.data_path)
        self._tree = yaml.safe_load(text.format(**self._marks))
        runtime = __import__("agentdojo.functions_runtime", fromlist=["FunctionsRuntime"])
        self._runtime = runtime.FunctionsRuntime(suite.tools)

    def environment(self, planted: str = "") -> Any:
        """Return a fresh environment; a planted text stands behind whatever outsiders have written anyway."""
        said = {
            mark: self.vectors[name].encode().decode("unicode_escape") + planted for name, mark in self._marks.items()
        }
        return self.suite.environment_type.model_validate(_replaced(self._tree, said))

    def task(self, task: Any, template: Any) -> tuple[Any, list[Act]]:
        """Return an environment for a user's task, made from a template, and the task's calls in it."""
        environment = task.init_environment(copy.deepcopy(template))
        try:
            calls = task.ground_truth(environment)
        except Exception:  # the suite's own answer may not reckon with a planted text
            calls = task.ground_truth(task.init_environment(self.environment()))
        return environment, [Act(call.function, dict(call.args)) for call in calls]

    def run(self, environment: Any, act: Act) -> tuple[Any, str]:
        """Make a call; return its result as JSON, or its error."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, error = self._runtime.run_function(environment, act.tool, act.arguments)
        return (None, str(error)) if error else (_json(result), "")


def _replaced(value: Any, said: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, said): _replaced(item, said) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, said) for item in value]
    if isinstance(value, str) and "PLANTED" in value:
        for mark, text in said.items():
            value = value.replace(mark, text)
    return value


def _json(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
