"""What the leakage gate will do and has done, in words for the run, the status and the card."""

from typing import Any

from terraseek_train.corpus.leakage.evaluation_sets import (
    DATA_VARIABLE,
    evaluation_source,
    is_same_data,
)
from terraseek_train.corpus.recipe import Recipe

__all__ = ["leakage_text", "shared_data_lines"]


def shared_data_lines(recipe: Recipe) -> list[str]:
    """Say which sources of a recipe are an evaluation set, and what will be done with its images.

    A line each, before any work; whether two sets are the same is judged by their files.
    """
    lines = []
    gates = [entry.parameters for entry in recipe.stages if entry.stage == "leakage"]
    for gate in gates:
        for evaluation in map(evaluation_source, gate.get("evaluation", ())):
            names = [
                source.name
                for source in recipe.sources
                if is_same_data((source.path, source.images), source.split, evaluation)
            ]
            if not names:
                continue
            text = f"leakage: source {', '.join(names)} has files of the evaluation set "
            text += f"{evaluation.name}: "
            if evaluation.name in gate.get("allow", ()):
                text += "its images are kept, as the recipe allows; do not measure a model on them"
            else:
                text += (
                    "its images will be rejected; to keep them, put "
                    f'"allow_evaluation": ["{evaluation.name}"] into the recipe, and do not '
                    "measure a model on them"
                )
            lines.append(text)
    return lines


def leakage_text(recipe: Recipe, stages: list[dict[str, Any]]) -> str:
    """Say in one line what was checked for leakage, or why nothing was.

    Args:
        recipe: the recipe.
        stages: summaries of its stages.
    """
    gates = [stage for stage in stages if stage["stage"] == "leakage"]
    if any(gate["facts"].get("found") for gate in gates):
        return f"leakage: {'; '.join(map(_checked, gates))}"
    if gates and any(gate["facts"].get("without image") for gate in gates):
        return f"leakage: {_checked(gates[-1])}"
    if not recipe.leakage:
        return 'leakage: not checked, as the recipe has "leakage": false'
    if any(entry.parameters.get("evaluation") for entry in recipe.stages):
        return "leakage: not checked yet; run the recipe"
    return (
        "leakage: nothing to check against; name your evaluation sets in the recipe "
        f'("evaluation"), or set {DATA_VARIABLE} to the folder of the published ones; '
        '"leakage": false turns the check off'
    )


def _checked(gate: dict[str, Any]) -> str:
    """What one gate has found, by evaluation set and source."""
    facts = gate["facts"]
    without, unread = facts.get("without image", 0), facts.get("not compared", 0)
    if without and without == gate["in"]:
        sets = ", ".join(facts["sets"])
        return (
            f"not checked: none of {without:,} items has an image to compare with {sets}; "
            "add the stage download, or check the images when you have them"
        )
    text = f"checked against {', '.join(_set(name, facts) for name in facts['found'])}"
    text += f"; {gate['rejected']:,} items rejected"
    if without:
        text += f"; {without:,} not compared: they have no image"
    if unread:
        text += f"; {unread:,} not compared: their image is unreadable or plain"
    return text


def _set(name: str, facts: dict[str, Any]) -> str:
    text = f"{facts['found'][name]:,} found"
    if sources := facts.get("in sources", {}).get(name):
        text += ": " + ", ".join(f"{count:,} in {source}" for source, count in sources.items())
    if most := facts.get("most in", {}).get(name):
        text += f"; most of this set is in {', '.join(most)}"
    if name in facts.get("kept", ()):
        text += "; kept, as the recipe allows: do not measure a model on this set"
    return f"{name} ({text})"
