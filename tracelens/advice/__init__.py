"""How to fix a finding: a summary, steps, and a snippet for the framework that emitted the spans."""

from tracelens.advice.advise import advise
from tracelens.advice.facts import AdviceFacts
from tracelens.advice.frameworks import Framework, detect_framework

__all__ = ["AdviceFacts", "Framework", "advise", "detect_framework"]
