from .choose import choose_engine, choose_executor
from .executor import Executor, Serial, Task

__all__ = [
    "Executor",
    "Serial",
    "Task",
    "choose_engine",
    "choose_executor",
]
