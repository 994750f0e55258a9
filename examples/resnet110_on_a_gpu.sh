#!/usr/bin/env bash
# ResNet-110 on CIFAR-10 on one GPU: trained by the paper's schedule on JAX, then its lesions.
#
#     bash examples/resnet110_on_a_gpu.sh DATASET OUTPUT [FLAGS OF THE TRAINING]
#
# DATASET is folder:PATH or a prepared folder. Python is that of an environment with a GPU build of
# JAX (docs/how-to/jax.md). The state of the training is saved every twenty seconds in
# OUTPUT/checkpoints, and the same command resumes it, on another machine, too.
set -euo pipefail
dataset=${1:?the data set is missing} output=${2:?the folder for results is missing}
shift 2
export KERAS_BACKEND=jax RESIDUAL_ENSEMBLES_CHECKPOINTS=$output/checkpoints
python -m residual_ensembles.train --model=resnet --depth=110 --schedule=paper --epochs=164 \
  --precision=mixed_bfloat16 --network=resnet110 --dataset="$dataset" \
  --output_dir="$output/resnet110" "$@"
python -m residual_ensembles.lesions --network="$output/resnet110/model.keras" \
  --dataset="$dataset" --output_dir="$output/lesions" --k=20 --swaps=10 --duplications=10 --draws=20
