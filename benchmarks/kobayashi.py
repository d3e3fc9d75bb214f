"""The system of Kobayashi et al.: does a more faithful reference find more? Table I, Figs. 4 and 6.

    python benchmarks/kobayashi.py --data ../shared/data --out docs/results/kobayashi.md

Protocol: reconstructors, patch embeddings and the segmentation network learn from slices without a lesion of
the training subjects; other subjects are scored. Every step runs in a process of its own; finished ones are
kept in ``--work`` and not repeated.
"""

import argparse
import platform
from pathlib import Path

import matplotlib
import numpy as np
import torch
from costs import once
from kobayashi_cohorts import CLASSES, COHORTS, read_cohort, write_cohort
from sklearn.frozen import FrozenEstimator

import skad
from skad.anatomy import AnatomySegmenter, anatomical_fidelity
from skad.metrics import classwise_report, mean_roc_curve
from skad.plotting import plot_roc, save_figure
from skad.reconstruction import IntroVAEReconstructor, LatentSearchTransformer, VAEReconstructor
from skad.scoring import IntensityScorer, PatchEmbeddingScorer, ResidualScorer

matplotlib.use("Agg")

EPOCHS = 40
RECIPE = {
    "channels": (16, 32, 64, 128),
    "latent_channels": 64,
    "encoder_lr": 1e-3,
    "decoder_lr": 1e-3,
    "batch_size": 8,
    "max_epochs": EPOCHS,
    "precision": "bf16",
}
"""The CPU recipe: pixels of 3 mm, fewer filters, and small batches, so that minutes hold enough steps."""
GAME = {"margin": 300.0, "n_warmup_epochs": 8}
"""Here L_REG of images is above the paper's margin of 120 nats, at which there would be no game."""
REFERENCES = {"vae": "VAE", "introvae": "IntroVAE", "search": "IntroVAE + search"}
SCORES = {"patches": "patch embeddings", "l1": "L1 residual"}
CLASS_COLUMNS = ("roc_auc", "sensitivity", "specificity", "precision", "f1")


def reconstructor(name, seed, work, cohort):
    """The unfitted reconstructor; for the search a fitted IntroVAE is searched."""
    if name == "vae":
        return VAEReconstructor(random_state=seed, **RECIPE)
    if name == "introvae":
        return IntroVAEReconstructor(random_state=seed, **RECIPE, **GAME)
    introvae = skad.load(work / f"{cohort}-introvae-{seed}.skad")
    return LatentSearchTransformer(FrozenEstimator(introvae), lr=1e-2)


def embedding(seed):
    """The paper's patch in millimetres: 12 pixels of 3 mm; one block, because two leave none of them."""
    return PatchEmbeddingScorer(
        channels=(32, 64),
        patch_size=12,
        n_hidden=256,
        n_outputs=64,
        n_patches=16,
        max_epochs=20,
        lr=1e-3,
        random_state=seed,
    )


def make_segmenter(work, cohort):
    """One segmentation network judges all references of a cohort."""
    data = read_cohort(work, cohort)
    segmenter = AnatomySegmenter(
        width=16, depth=3, batch_size=8, lr=1e-3, max_epochs=15, precision="bf16", random_state=0
    )
    skad.save(segmenter.fit(data.train, data.anatomy), work / f"{cohort}-segmenter.skad")


def make_reference(work, cohort, name, seed):
    """Fit a reconstructor; write it and the references of the test slices."""
    data = read_cohort(work, cohort)
    estimator = reconstructor(name, seed, work, cohort).fit(data.train)
    np.save(work / f"{cohort}-{name}-{seed}.npy", estimator.reconstruct(data.test))
    if name != "search":
        skad.save(estimator, work / f"{cohort}-{name}-{seed}.skad")


def make_embedding(work, cohort, seed):
    """Fit the patch embedding, on images alone: the reference of a pair does not enter its loss."""
    train = read_cohort(work, cohort).train
    estimator = embedding(seed).fit(np.stack([train, train], axis=1))
    skad.save(estimator, work / f"{cohort}-embedding-{seed}.skad")


def make_maps(work, cohort, name, seed):
    """Anomaly maps of the test slices: patch embeddings and plain residual, against one reference."""
    data = read_cohort(work, cohort)
    pairs = np.stack([data.test, np.load(work / f"{cohort}-{name}-{seed}.npy")], axis=1)
    patches = skad.load(work / f"{cohort}-embedding-{seed}.skad")
    maps = {"patches": -patches.score_samples(pairs), "l1": -ResidualScorer().fit(pairs).score_samples(pairs)}
    fidelity = anatomical_fidelity(skad.load(work / f"{cohort}-segmenter.skad"), pairs)
    np.savez(work / f"{cohort}-{name}-{seed}-maps.npz", **maps, **fidelity)


def run(work, data, cohorts, seeds):
    """Do what is not done yet: costs in minutes and GB by (cohort, step, seed)."""
    costs = {}
    for cohort in cohorts:
        once(work / f"{cohort}.json", write_cohort, work, cohort, data)
        costs[cohort, "segmenter", 0] = once(work / f"{cohort}-segmenter.json", make_segmenter, work, cohort)
    for seed in seeds:
        for cohort in cohorts:
            costs[cohort, "embedding", seed] = once(
                work / f"{cohort}-embedding-{seed}.json", make_embedding, work, cohort, seed
            )
            for name in REFERENCES:
                path = work / f"{cohort}-{name}-{seed}.json"
                costs[cohort, name, seed] = once(path, make_reference, work, cohort, name, seed)
                path = path.with_name(f"{path.stem}-maps.json")
                costs[cohort, f"{name}-maps", seed] = once(path, make_maps, work, cohort, name, seed)
    return costs


def class_values(data, anomaly, label):
    """K's columns for one class: mean and deviation over volumes, thresholds by Youden's J of all pixels."""
    rows = classwise_report(data.y, anomaly, data.groups, labels=[label], n_thresholds=1000)
    (row,) = [row for row in rows if row["over"] == "volumes" and row["threshold"] == "pooled"]
    return {column: row[column] for column in CLASS_COLUMNS} | {"roc_auc_sd": row["roc_auc_sd"]}


def rows_of(work, cohort, seeds):
    """All maps of a cohort: title -> list over the seeds of (map, fidelity)."""
    data = read_cohort(work, cohort)
    rows = {
        f"smoothed intensity, {name} is abnormal": [
            (-IntensityScorer(sign=sign).fit(data.train).score_samples(data.test), {})
        ]
        for name, sign in (("bright", 1), ("dark", -1))
    }
    for score, title in SCORES.items():
        for name, reference in REFERENCES.items():
            files = [np.load(work / f"{cohort}-{name}-{seed}-maps.npz") for seed in seeds]
            rows[f"{reference}, {title}"] = [
                (file[score], {key: np.nanmean(file[key]) for key in ("quality_score", "overlap_score")})
                for file in files
            ]
    return data, rows


def cell(values, digits=3):
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def summary_table(data, rows, classes):
    """Class-wise AUC of every row, and the fidelity of its references."""
    lines = [
        f"| {' | '.join(['', 'quality score', 'overlap score', 'any class', *classes])} |",
        "|---|---|---|---|" + "---|" * len(classes),
    ]
    for title, results in rows.items():
        fidelity = ["", ""]
        if results[0][1]:
            fidelity = [
                cell([f["quality_score"] for _, f in results], 0),
                cell([f["overlap_score"] for _, f in results]),
            ]
        aucs = [
            cell([class_values(data, anomaly, label)["roc_auc"] for anomaly, _ in results])
            for label in (None, *classes.values())
        ]
        lines.append(f"| {title} | {' | '.join([*fidelity, *aucs])} |")
    return "\n".join(lines)


def class_table(data, rows, classes):
    """Table I: per class, the three systems side by side; mean over volumes, then over seeds."""
    lines = ["| class | | AUC | sensitivity | specificity | precision | F1 |", "|---" * 7 + "|"]
    for class_name, label in classes.items():
        for title, results in rows.items():
            values = [class_values(data, anomaly, label) for anomaly, _ in results]
            means = [f"{np.mean([v[column] for v in values]):.3f}" for column in CLASS_COLUMNS]
            means[0] += f" ± {np.mean([v['roc_auc_sd'] for v in values]):.3f}"
            lines.append(f"| {class_name} | {title} | {' | '.join(means)} |")
    return "\n".join(lines)


def cost_table(costs, cohort, seeds):
    """Minutes and peak memory of every step, mean over the seeds."""
    steps = {
        "embedding": "patch embedding: training",
        "vae": "VAE: training and references",
        "vae-maps": "scoring against the VAE",
        "introvae": "IntroVAE: training and references",
        "introvae-maps": "scoring against IntroVAE",
        "search": "latent search: references",
        "search-maps": "scoring against IntroVAE + search",
    }
    lines = ["| step | minutes | peak GB |", "|---|---|---|"]
    for step, title in steps.items():
        done = [costs[cohort, step, seed] for seed in seeds]
        minutes, gigabytes = (np.mean([cost[key] for cost in done]) for key in ("minutes", "gigabytes"))
        lines.append(f"| {title} | {minutes:.1f} | {gigabytes:.1f} |")
    return "\n".join(lines)


def draw_roc(data, rows, classes, path):
    """Fig. 6: class-wise ROC curves of the first seed, mean over volumes."""
    systems = {title: results[0][0] for title, results in rows.items() if SCORES["patches"] in title}
    panels = {
        class_name: {
            title.partition(",")[0]: mean_roc_curve(data.y, anomaly, data.groups, label=label)
            for title, anomaly in systems.items()
        }
        for class_name, label in classes.items()
    }
    save_figure(plot_roc(panels), path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with glioma and glioma256")
    parser.add_argument("--out", type=Path, default=Path("docs/results/kobayashi.md"))
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/kobayashi"))
    parser.add_argument("--only", choices=COHORTS, help="train for one cohort, write no tables")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    work, seeds = arguments.work, arguments.seeds
    work.mkdir(parents=True, exist_ok=True)
    costs = run(work, arguments.data, [arguments.only] if arguments.only else COHORTS, seeds)
    if arguments.only:
        return
    parts = {"machine": f"{platform.machine()}, torch {torch.__version__}", "seeds": len(seeds)}
    for cohort, classes in CLASSES.items():
        data, rows = rows_of(work, cohort, seeds)
        systems = {title: results for title, results in rows.items() if results[0][1]}
        parts[f"{cohort}_summary"] = summary_table(data, rows, classes if len(classes) > 1 else {})
        parts[f"{cohort}_classes"] = class_table(data, systems, classes)
        parts[f"{cohort}_costs"] = cost_table(costs, cohort, seeds)
        abnormal = 100 * (data.y[~np.isnan(data.test[:, 0])] > 0).mean()
        parts[f"{cohort}_counts"] = (
            f"{len(data.train)} slices to learn from; {len(data.test)} slices of "
            f"{len(np.unique(data.groups))} other subjects to score, {abnormal:.1f} % of their "
            "foreground abnormal"
        )
        draw_roc(data, rows, classes, arguments.out.parent.parent / "images" / f"roc-{cohort}.png")
    template = Path(__file__).with_name("kobayashi_template.md").read_text()
    arguments.out.write_text(template.format(**parts))


if __name__ == "__main__":
    main()
