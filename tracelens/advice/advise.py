"""From a finding's facts to its advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelens.advice.catalogue import PassAdvice, pass_advice, snippets
from tracelens.advice.frameworks import candidates
from tracelens.advice.render import first_rendered
from tracelens.advice.values import Values
from tracelens.findings import Advice, Snippet

if TYPE_CHECKING:
    from tracelens.advice.facts import AdviceFacts


def advise(facts: AdviceFacts) -> Advice:
    """Say how to fix a finding: a sentence, steps, and code for the framework that emitted its spans.

    The snippet is the first that can be written of the framework's own, its language's and plain SQL's; None where no
    one can. A pass without advice of its own, such as a user's, gets an empty summary and no steps.
    """
    advice = pass_advice(facts.pass_name)
    if advice is None:
        return Advice(summary="", steps=(), snippet=None)
    values = Values(facts)
    steps = [first_rendered(alternatives, values) for alternatives in advice.steps]
    return Advice(
        summary=first_rendered(advice.summary, values) or "",
        steps=tuple(step for step in steps if step is not None),
        snippet=_snippet(facts, advice, values),
    )


def _snippet(facts: AdviceFacts, advice: PassAdvice, values: Values) -> Snippet | None:
    frameworks = candidates(
        facts.scope_names, facts.sdk_language, facts.db_system, query_text=facts.subject, kinds=advice.kinds
    )
    for framework in frameworks:
        for pass_name in (facts.pass_name, *advice.snippets_of):
            for snippet in snippets(pass_name, framework.language):
                code = first_rendered([snippet.passage], values) if snippet.framework == framework.name else None
                if code is not None:
                    return Snippet(snippet.shown_as, snippet.language, code)
    return None
