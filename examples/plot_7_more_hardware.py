"""
GPU, cores and machines
=======================

What has to change when there is more hardware, and does the result change with it? A parameter, a context
manager, and no.
"""

# %%
# One GPU
# -------
# Every estimator with a network has ``device`` and ``precision``. "auto" takes a GPU where there is one,
# in bf16 where the card has it, and the processor in fp32 otherwise; "cuda:1" names a card. Fitted
# networks lie on the CPU, so a detector trained on a GPU is saved, copied and used anywhere. When the
# card's memory is too small for a batch, scoring halves it and goes on, and ``fit`` says which
# ``batch_size`` would fit.

import torch

from skad.reconstruction import ContrastTranslator

print("a GPU is here" if torch.cuda.is_available() else "no GPU here: auto means the CPU")
translator = ContrastTranslator(device="auto", precision="auto")

# %%
# Several cores
# -------------
# What scikit-learn does in parallel goes through joblib, and so does scoring volumes. On a GPU leave
# ``n_jobs=1``: workers would share the card.

from sklearn.model_selection import GridSearchCV

from skad.datasets import make_phantom
from skad.metrics import foreground_average_precision
from skad.model_selection import NormalTrainSplit
from skad.preprocessing import VolumePreprocessor
from skad.scoring import MixtureScorer

stack = VolumePreprocessor(size=(80, 64)).fit_transform(
    make_phantom(6, shape=(64, 80, 12), lesion="glioma", random_state=0)
)
search = GridSearchCV(
    MixtureScorer(max_pixels=10_000, random_state=0),
    {"n_components": [1, 2, 3, 4, 6, 8]},
    scoring=foreground_average_precision,
    cv=NormalTrainSplit(n_splits=3),
)
alone = search.fit(stack.X, stack.y, groups=stack.groups).cv_results_

# %%
# Several machines
# ----------------
# The backend of joblib decides where the work is done, the search stays as it is. Here two local
# processes; with Dask it is a cluster, with one worker per GPU where there are GPUs::
#
#     from dask.distributed import Client
#
#     client = Client("scheduler:8786")
#     with joblib.parallel_config(backend="dask"):
#         search.fit(stack.X, stack.y, groups=stack.groups)
#
# ``skad tune --dask`` does so from the command line: :doc:`/tuning`.

import joblib

with joblib.parallel_config(backend="loky", n_jobs=2):
    together = search.fit(stack.X, stack.y, groups=stack.groups).cv_results_

# %%
# The results are those of one process: seeds belong to estimators, not to workers.

import matplotlib.pyplot as plt

splits = [f"split{i}_test_score" for i in range(3)]
figure, axis = plt.subplots(figsize=(5, 4.5), layout="constrained")
axis.axline((0.5, 0.5), slope=1, color="0.7")
for i, split in enumerate(splits):
    axis.plot(alone[split], together[split], "os^"[i], label=f"fold {i}")
axis.set(xlabel="average precision, one process", ylabel="average precision, two processes")
axis.legend(title="6 candidates in 3 folds")
plt.show()
largest = max(abs(alone[split] - together[split]).max() for split in splits)
print(f"largest difference: {largest:g}")
