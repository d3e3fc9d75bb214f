#!/bin/sh
# run_pixel_brain.sh INPUT OUTPUT, as the MOOD challenge calls it.
here=$(dirname "$0")
exec python "$here/predict.py" pixel "$1" "$2" --model "${MODEL:-$here/model.skad}"
