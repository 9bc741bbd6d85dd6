#!/usr/bin/env bash
# What a lent GPU is asked, in about three minutes: is the map right, how fast is it, what memory does it take, how long
# is an epoch, and does `analyze` say the same on GPU and CPU.
#   Resources/Documentation/benchmark/gpu_check.sh OUTPUT      from the project's root, PYTHONPATH holding DaTscanAI/
# OUTPUT gets benchmark.md, benchmark.json and same.txt. Where zennit is missing, our own float64 map on the CPU is the oracle.
set -euo pipefail
output=$(mkdir -p "$1" && cd "$1" && pwd)
python=${PYTHON:-python3}
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | tee "$output/gpu.txt"
"$python" -m DaTscanAILib benchmark --stages gpu --output "$output"
for device in cpu cuda; do
  "$python" -m DaTscanAILib analyze Resources/Samples --device $device --no-report --output "$output/$device"
done
"$python" - "$output" <<'PYTHON' | tee "$output/same.txt"
import json, sys
from pathlib import Path
import numpy as np
from DaTscanAILib.reading.scan import read_scan

folder = Path(sys.argv[1])
for case in sorted(path.name for path in (folder / "cpu").iterdir() if path.is_dir()):
    answers = [json.loads((folder / device / case / "result.json").read_text())["classification"] for device in ("cpu", "cuda")]
    if answers[0]["label"] is None:
        continue
    maps = [read_scan(folder / device / case / "relevance.nii.gz").voxels for device in ("cpu", "cuda")]
    error = np.linalg.norm(maps[0] - maps[1]) / np.linalg.norm(maps[0])
    logits = [answer["logit_difference"] for answer in answers]
    same = answers[0]["label"] == answers[1]["label"] and abs(logits[0] - logits[1]) < 1e-4 and error < 1e-3
    print(f"{case}: {answers[0]['label']}, logits {logits[0]:.6f} and {logits[1]:.6f}, maps differ by {error:.1e}: {'same' if same else 'DIFFERENT'}")
PYTHON
! grep -q DIFFERENT "$output/same.txt"
