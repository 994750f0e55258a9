"""Lists the programs of the project: `python -m residual_ensembles`."""

PROGRAMS = {
    "residual_ensembles.train": "trains one network and writes model.keras, history.csv, run.json",
    "residual_ensembles.lesions": "lesions and paths of any Keras network: tables, figures, a page",
    "pipelines.reproduce": "runs the study that params.yaml describes, from images to the page",
    "pipelines.compose": "writes params.yaml from a study: study=cifar10 lesion.k=10",
    "pipelines.summary": "prints what the committed studies decide, or the errors of one study",
    "pipelines.publish": "puts finished studies into docs/results, to be committed",
    "pipelines.clean_checkpoints": "lists what .checkpoints holds, and removes what is old",
}
"""Purpose of each program. `pipelines` comes with the repository, not with the package."""


def listing() -> str:
    """Returns the programs, one a line."""
    width = max(map(len, PROGRAMS))
    lines = [f"  python -m {name:{width}}  {purpose}" for name, purpose in PROGRAMS.items()]
    return "\n".join(
        [
            "Programs (--help explains the flags of those that have some):",
            *lines,
            "",
            "Those of `pipelines` are run in a clone of the repository. In Python:",
            "  import residual_ensembles; chain = residual_ensembles.unravel(model)",
        ]
    )


if __name__ == "__main__":
    print(listing())
