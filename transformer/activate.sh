# Read by bash before a command that runs in a conda environment (conda.py).
unset BASH_ENV
set +eu
for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
    if [ -r "$script" ]; then
        . "$script"
    fi
done
unset script
set -eu
