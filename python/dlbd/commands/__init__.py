"""The subcommands of ``dlbd``: each module has ``add(commands)``, its arguments, and ``run(options)``."""
