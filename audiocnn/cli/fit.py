"""`audiocnn fit`, `validate` and `test`: the short help, and Lightning's command line for the rest.

Lightning's own help names some 500 options, those of every section of a config; it is there as --help-all.
"""

from audiocnn.cli import interrupts

HELP = """usage: audiocnn {verb} --config CONFIG [options]

{summary}

example:
  {example}

configs, by name:
{configs}

A config is a YAML file with the sections trainer, model and data. Its defaults are those of
base.yaml beside the shipped ones; options after it override it, under the same names. Each training
writes its config, metrics and checkpoints to a folder of its own, trainer.default_root_dir/DATE.

  --config CONFIG              a config by its name, or a file; later ones override earlier ones
  --data.path my_music/        where the data are
  --trainer.max_epochs 3       any argument of Lightning's Trainer
  --model.learning_rate 1e-3   any argument of the model
  --ckpt_path last             {ckpt_path}
  --print_config               print the config with all its values, and exit
  --help-all                   every option
  --model.help CLASS           options of a class, such as audiocnn.training.clips.GenreTask
"""
# Verb -> what it does, and what `--ckpt_path last` does there.
VERBS = {
    "fit": (
        "Train the model that a config describes.",
        "go on with the latest run; from scratch where there is none",
    ),
    "validate": (
        "Score a checkpoint on the validation data of a config.",
        "last or best of the latest run; or a checkpoint, or a run",
    ),
    "test": (
        "Score a checkpoint on the test data of a config.",
        "last or best of the latest run; or a checkpoint, or a run",
    ),
}


def run(verb: str, words: list[str]) -> int:
    """Run Lightning's verb.

    Args:
        verb: fit, validate or test.
        words: words of the command line, after the verb.

    Returns:
        The exit status.
    """
    if not {"-h", "--help"}.isdisjoint(words):
        print_help(verb)
        return 0
    from audiocnn.cli.training import run_lightning

    with interrupts.raised():
        return run_lightning(verb, ["--help" if word == "--help-all" else word for word in words])


def print_help(verb: str) -> None:
    """Print the short help of a verb."""
    from audiocnn.cli import VERBS as ALL_VERBS
    from audiocnn.cli.configs import FIT, format_configs, list_configs

    summary, ckpt_path = VERBS[verb]
    fields = {
        "example": ALL_VERBS[verb].example,
        "configs": format_configs(list_configs(FIT)),
        "ckpt_path": ckpt_path,
    }
    print(HELP.format(verb=verb, summary=summary, **fields), end="")
