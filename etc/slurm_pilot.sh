#!/bin/sh
# The batch script of an action server that shotline-provider starts as a job of Slurm. Its arguments
# are the server's command. Adapt it to your site (module load, the path of the installation, a
# configuration file of the nodes' own) and name yours in the configuration (providers.slurm_script).
#
# The server must take the place of this script, so that Slurm's signals reach it and its end is the
# job's end.
exec "$@"
