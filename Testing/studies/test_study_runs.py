"""Each study end to end on a tiny cohort: what it writes, that a second call resumes it, and what it refuses."""

import csv
import json
import shutil
import urllib.error

import numpy as np
import pytest
import torch
from pdf_reader import PdfFile
from scipy import stats
from study_factory import make_torchvision_importable, synthetic_scan, write_cohort

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.classification.answer import Classifier
from DaTscanAILib.classification.model_folder import find_model
from DaTscanAILib.cli import main as cli
from DaTscanAILib.explanation.lower_putamen import lower_putamen_relevance
from DaTscanAILib.explanation.methods import INTEGRATED_GRADIENTS, LRP
from DaTscanAILib.studies import (
    heads,
    kim2018,
    nazari2021_extrastriatal,
    nazari2021_lrp,
    nazari_networks,
    quan2019,
    wenzel2019,
    wenzel_outcomes,
    wenzel_samples,
)
from DaTscanAILib.studies.fine_tuning import fine_tune
from DaTscanAILib.studies.inception import FEATURES, Extractor, load_extractor, pooling_without_padding, to_input
from DaTscanAILib.studies.linear_control import PIXELS
from DaTscanAILib.studies.run import STUDIES, run_study
from DaTscanAILib.studies.workspace import StudyOptions, Workspace

SCANS = 24


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"), SCANS)


@pytest.fixture
def smallest(monkeypatch):
    """Forms that are shorter still than the quick ones."""
    monkeypatch.setattr(kim2018, "QUICK", kim2018.Form(copies=2, iterations=200, bootstrap=20))
    monkeypatch.setattr(quan2019, "QUICK", quan2019.Form(folds=2, epochs=6, copies=2, fine_tuning_epochs=1))
    monkeypatch.setattr(wenzel2019, "QUICK", wenzel2019.Form(splits=1, epochs=1, patience=None))
    monkeypatch.setattr(nazari2021_lrp, "QUICK", nazari2021_lrp.Form(epochs=2, patience=2))
    monkeypatch.setattr(
        nazari2021_extrastriatal,
        "QUICK",
        nazari2021_extrastriatal.Form(epochs=1, patience=2, epochs_without_striatum=2),
    )


def run(name, cohort, output, *more):
    manifest, prepared = map(str, cohort)
    arguments = ["study", name, "--manifest", manifest, "--prepared", prepared, "--output", str(output), "--quick"]
    return cli.main([*arguments, "--device", "cpu", *more])


def check_outputs(name, output, figures, tables):
    """Whatever every study writes; the summary."""
    summary = json.loads((output / "summary.json").read_text())
    assert summary["study"] == name
    assert summary["form"] == "quick"
    assert summary["data"]["scans"] == SCANS
    assert summary["data"]["reduced"] == SCANS // 2
    assert "simulated" not in summary["data"]["sentence"]  # these cases have not the simulator's names
    assert len(summary["choices"]) >= 4
    assert "Not a medical device" in summary["statement"]
    for figure in figures:
        assert (output / "figures" / f"{figure}.png").read_bytes()[:4] == b"\x89PNG", figure
        assert (output / "figures" / f"{figure}.pdf").read_bytes()[:5] == b"%PDF-", figure
    for table in tables:
        with (output / "tables" / f"{table}.csv").open(newline="") as stream:
            assert len(list(csv.reader(stream))) > 1, table
    check_page((output / "study.pdf").read_bytes(), summary)
    return summary


def check_page(data, summary):
    texts = PdfFile(data).texts()
    shown = " ".join(" ".join(one.text for one in texts).split())
    for words in (summary["data"]["sentence"], "Quick form", *(row["here"] for row in summary["comparison"])):
        assert " ".join(words.split())[:40] in shown
    place = min(one.y for one in texts if one.size == 7.5)  # of the last choice's last line
    footer = max(one.y for one in texts if one.text.startswith("Research use only. Not"))
    assert place > footer + 8  # nothing runs into the footer


def resumes(name, cohort, output, *more):
    """A second call, after the loss of what a first one writes last, gives the same bytes."""
    before = {path: (output / path).read_bytes() for path in ("summary.json", "study.pdf")}
    for path in before:
        (output / path).unlink()
    shutil.rmtree(output / "tables")
    assert run(name, cohort, output, *more) == 0
    assert {path: (output / path).read_bytes() for path in before} == before
    assert list((output / "tables").iterdir())


# ---- the two-dimensional studies


class PixelMeans(Extractor):
    """An extractor in Inception's place that takes no time: the picture in 26 x 26 blocks (of each color)."""

    def __call__(self, images):
        pictures = torch.from_numpy(np.asarray(images, np.float32)) / 255
        means = torch.nn.functional.adaptive_avg_pool2d(pictures, 26).reshape(len(pictures), -1)
        return torch.nn.functional.pad(means, (0, FEATURES - means.shape[1])).numpy()


def test_kim2018_from_end_to_end(cohort, tmp_path, smallest, monkeypatch):
    monkeypatch.setattr(kim2018, "load_extractor", lambda *_: PixelMeans(None, "random", True, "cpu", False, True))
    assert run("kim2018", cohort, tmp_path / "out", "--random-weights", "--controls") == 0
    figures = ("roc", "scores", "learning_curve", "augmentation")
    tables = ("scans", "contingency", "at_threshold", "at_0.5")
    summary = check_outputs("kim2018", tmp_path / "out", figures, tables)
    assert "RANDOM" in summary["warnings"][0]
    assert summary["results"]["weights"].startswith("random")
    with (tmp_path / "out" / "tables" / "contingency.csv").open(newline="") as stream:
        counts = np.array([row[1:] for row in csv.reader(stream)][1:], int)
    assert summary["results"]["threshold_on_normal"] == pytest.approx(1 - summary["results"]["threshold"])
    at = summary["results"]["at_threshold"]
    assert counts.sum() == summary["results"]["scans_by_role"]["test"]
    assert counts[0, 0] / counts[:, 0].sum() == at["sensitivity"]["value"]
    assert counts[1, 1] / counts[:, 1].sum() == at["specificity"]["value"]
    monkeypatch.setattr(PixelMeans, "__call__", None)  # a resumed run computes no feature again
    assert list(summary["results"]["controls"]) == ["random slice", PIXELS]  # its weights are random already
    assert "Inception's weights: random" in summary["deviations"][-2]
    assert "bfloat16" in summary["deviations"][-1]
    resumes("kim2018", cohort, tmp_path / "out", "--random-weights", "--controls")


def test_quan2019_from_end_to_end(cohort, tmp_path, smallest, monkeypatch):
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(26), torch.nn.Flatten(), torch.nn.Linear(2028, FEATURES))
    monkeypatch.setattr(
        quan2019, "load_extractor", lambda _, random=False: PixelMeans(network, "none", random, "cpu")
    )
    more = ("--fine-tune", "--controls")
    assert run("quan2019", cohort, tmp_path / "out", *more) == 0
    tables = ("cross_validation", "test", "test_scores")
    summary = check_outputs("quan2019", tmp_path / "out", ("roc", "precision_recall", "learning_curves"), tables)
    with (tmp_path / "out" / "tables" / "cross_validation.csv").open(newline="") as stream:
        folds = list(csv.DictReader(stream))
    weights = [float(row["scans"]) for row in folds[:2]]
    assert sum(weights) + summary["sizes"]["test scans"] == SCANS
    for measure in quan2019.MEASURES:
        expected = np.average([float(row[measure]) for row in folds[:2]], weights=weights)
        assert float(folds[2][measure]) == pytest.approx(expected, abs=1e-5)
    with (tmp_path / "out" / "tables" / "test_scores.csv").open(newline="") as stream:
        wrong = [row for row in csv.DictReader(stream) if (float(row["score"]) >= 0.5) != (row["label"] == "reduced")]
    assert (tmp_path / "out" / "figures" / "misclassified.png").exists() == bool(wrong)
    assert list(summary["results"]["others"]) == ["base fine-tuned", "random weights", PIXELS]
    assert (tmp_path / "out" / "models" / "base_fine_tuned.safetensors").exists()
    monkeypatch.setattr(heads, "dense_head", None)  # a resumed run trains nothing
    resumes("quan2019", cohort, tmp_path / "out", *more)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_base_learns_with_its_head_and_the_extractor_stays_as_it_is(bfloat16):
    """Colors tell the classes, which a base of zeros cannot see before it has learned."""
    truth = np.arange(16) % 2 == 1
    pictures = [np.full((3, 20, 20), 200 if reduced else 20, np.uint8) for reduced in truth]
    base = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, FEATURES))
    torch.nn.init.zeros_(base[2].weight)
    extractor = Extractor(base, "none", False, "cpu", bfloat16=bfloat16)
    tuned, head, losses = fine_tune(extractor, heads.dense_head(0), pictures, truth, 30, 16, seed=1, rate=1e-3)
    assert losses[-1] < 0.1 < losses[0]
    assert not base[2].weight.any()
    scores = heads.dense_head_scores(head, tuned(np.stack(pictures)))
    assert np.array_equal(scores > 0.5, truth)
    assert (
        fine_tune(extractor, heads.dense_head(0), pictures, truth, 2, 16, seed=1)[2]
        == fine_tune(extractor, heads.dense_head(0), pictures, truth, 2, 16, seed=1)[2]
    )


# ---- Inception's weights


@pytest.fixture
def workspace_of(cohort, tmp_path):
    def make(**options):
        manifest, prepared = cohort
        output = tmp_path / f"output{len(list(tmp_path.iterdir()))}"
        return Workspace("kim2018", StudyOptions(manifest, output, "cpu", prepared=prepared, **options))

    return make


def test_weights_that_cannot_be_downloaded_are_one_sentence(workspace_of, monkeypatch):
    make_torchvision_importable()

    def no_network(*_, **__):
        raise urllib.error.URLError("unreachable")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(DaTscanError, match=r"inception_v3_google-0cc3c7bd.pth with --weights FILE.*--random-weights"):
        load_extractor(workspace_of())


def test_weights_of_a_file_are_those_that_compute_the_features(workspace_of, tmp_path):
    models = make_torchvision_importable()
    network = load_extractor(workspace_of(random_weights=True)).network
    reference = models.inception_v3(weights=None, init_weights=False, transform_input=True)
    state = {**reference.state_dict(), **network.state_dict()}
    torch.save({name: value.half() for name, value in state.items()}, tmp_path / "weights.pth")
    extractor = load_extractor(workspace_of(weights=tmp_path / "weights.pth"))
    assert not extractor.is_random
    picture = np.random.default_rng(0).integers(0, 255, (1, 109, 91)).astype(np.uint8)
    reference.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True))
    reference.fc = torch.nn.Identity()
    with torch.inference_mode():
        expected = reference.eval()(to_input(torch.from_numpy(picture.astype(np.float32))))
    features = extractor(picture)
    assert features.shape == (1, FEATURES)
    assert np.allclose(features, expected.numpy(), rtol=0, atol=1e-5 * features.std())
    assert features.std() > 0.01
    coarse = load_extractor(workspace_of(weights=tmp_path / "weights.pth", bfloat16=True))
    difference = np.linalg.norm(coarse(picture) - features) / np.linalg.norm(features)
    assert 1e-4 < difference < 0.05


def test_pools_of_keras_divide_by_the_pixels_inside_the_picture():
    models = make_torchvision_importable()
    block = models.inception.InceptionA(4, pool_features=3).eval()
    with torch.no_grad():
        block.branch_pool.conv.weight.fill_(1.0)
    ones = torch.ones(1, 4, 6, 6)
    with torch.inference_mode():
        padded = block.branch_pool(torch.nn.functional.avg_pool2d(ones, 3, 1, 1))
        usual = block(ones)[:, -3:]
        with pooling_without_padding(True):
            found = block(ones)[:, -3:]
        assert torch.equal(block(ones)[:, -3:], usual)  # afterwards as before
    assert torch.allclose(usual, padded)
    assert usual[0, 0, 0, 0] / usual[0, 0, 3, 3] == pytest.approx(4 / 9)  # five of nine pixels are padding
    assert found[0, 0, 0, 0] == found[0, 0, 3, 3]


def test_a_file_of_other_weights_is_refused(workspace_of, tmp_path):
    make_torchvision_importable()
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(DaTscanError, match=r"other.pth: this file does not hold the weights .* Inception v3"):
        load_extractor(workspace_of(weights=tmp_path / "other.pth"))


def test_pictures_are_padded_to_squares_and_scaled_as_imagenet():
    batch = to_input(torch.full((2, 109, 91), 255.0))
    assert batch.shape == (2, 3, 299, 299)
    assert np.allclose(
        batch[0, :, 150, 150], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], atol=1e-5
    )
    assert np.allclose(batch[0, :, 150, 2], -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], atol=1e-5)


# ---- the studies of three-dimensional models


def test_wenzel2019_from_end_to_end(cohort, tmp_path, smallest, monkeypatch):
    other, other_prepared = write_cohort(tmp_path / "other", 10, seed=5)
    shutil.copytree(other_prepared, tmp_path / "out" / "work" / "prepared_independent")
    more = ("--independent", str(other))
    assert run("wenzel2019", cohort, tmp_path / "out", *more) == 0
    figures = ("accuracy", "cross_testing_cnn", "cross_testing_cnn_independent", "learning_curves")
    tables = ("splits", "cross_testing", "cut_offs", "paired_tests", "learning_curves")
    summary = check_outputs("wenzel2019", tmp_path / "out", figures, tables)
    assert "12 normal and 12 reduced scans; the paper had 207 and 438." in summary["deviations"]
    assert summary["sizes"]["splits with a trained network"] == 1
    cuts = summary["results"]["cut_offs"]["aal"]  # smoothing lowers the SBR, and the cut-off with it
    assert cuts["smoothed"]["mean"] < cuts["original"]["mean"]
    accuracy = summary["results"]["accuracy"]
    assert accuracy["split"]["hottest"]["original"]["original"]["mean"] > 0.7  # synthetic losses are plain
    assert set(accuracy) == {"split", "independent"}
    assert set(accuracy["independent"]["cnn"]["mixed"]) == {"original", "smoothed", "mixed"}
    for setting in wenzel2019.SETTINGS:
        assert find_model(tmp_path / "out" / "models" / f"{setting}_0").architecture == "wenzel2019"
    monkeypatch.setattr(wenzel2019, "trained_model", None)
    resumes("wenzel2019", cohort, tmp_path / "out", *more)


def test_both_sbr_of_wenzel2019_need_no_network_and_networks_can_follow(cohort, tmp_path, smallest, monkeypatch):
    monkeypatch.setattr(wenzel2019, "QUICK", wenzel2019.Form(splits=3, epochs=1, patience=None))
    train = wenzel2019.trained_model
    monkeypatch.setattr(wenzel2019, "trained_model", None)
    assert run("wenzel2019", cohort, tmp_path / "out", "--network-splits", "0") == 0
    alone = json.loads((tmp_path / "out" / "summary.json").read_text())
    shown = {row["quantity"]: row["here"] for row in alone["comparison"]}
    assert shown["CNN, original: accuracy"] == "not trained"
    assert set(alone["results"]["accuracy"]["split"]) == {"aal", "hottest"}
    monkeypatch.setattr(wenzel2019, "trained_model", train)
    assert run("wenzel2019", cohort, tmp_path / "out", "--network-splits", "1") == 0
    both = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert both["results"]["accuracy"]["split"]["aal"] == alone["results"]["accuracy"]["split"]["aal"]
    assert both["results"]["cnn_minus_sbr"]["mixed"]["aal"]["splits"] == 1
    assert both["results"]["mixed_minus_pure"]["aal"]["original"]["splits"] == 3
    assert any("first 1 of 3 splits" in sentence for sentence in both["deviations"])


def test_tests_over_the_splits_are_paired():
    """Differences of 1 to 5 %: t = mean / (sd / sqrt n) in closed form; all five signs alike, p = 2 / 2 ** 5."""
    second = np.array([0.90, 0.95, 0.93, 0.97, 0.91])
    found = wenzel_outcomes.compare(second + np.arange(1, 6) / 100, second)
    t = 0.03 / (np.std([0.01, 0.02, 0.03, 0.04, 0.05], ddof=1) / np.sqrt(5))
    assert found["mean_difference"] == pytest.approx(0.03)
    assert found["p_t"] == pytest.approx(2 * stats.t.sf(t, 4))
    assert found["p_wilcoxon"] == pytest.approx(2 / 2**5)
    assert wenzel_outcomes.compare(second, second)["p_t"] == 1.0
    assert wenzel_outcomes.compare(second[:1], second[1:2])["p_t"] is None


def test_the_sample_is_of_one_camera_and_the_others_are_independent(cohort, tmp_path, monkeypatch):
    with cohort[0].open(newline="") as stream:
        header, *rows = csv.reader(stream)
    sites = ["big"] * 20 + ["small"] * 4
    manifest = cohort[0].with_name("sites.csv")
    with manifest.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [[*header, "site"], *([*row, site] for row, site in zip(rows, sites, strict=True))]
        )

    def chosen(output, **more):
        options = StudyOptions(manifest, tmp_path / output, "cpu", prepared=cohort[1], **more)
        return wenzel_samples.one_camera(Workspace("wenzel2019", options))

    camera, scans = chosen("all")  # 10 of either class are not the paper's 207 and 438
    assert camera is None
    assert scans.all()
    monkeypatch.setattr(wenzel_samples, "PAPER_REDUCED", 10)
    monkeypatch.setattr(wenzel_samples, "PAPER_NORMAL", 10)
    camera, scans = chosen("largest")
    assert camera == "big"
    assert scans.tolist() == [site == "big" for site in sites]
    with pytest.raises(DaTscanError, match="only 2 usable scans labelled normal of the camera small"):
        chosen("named", camera="small")


def test_both_versions_of_a_scan_go_into_the_mixed_sets():
    data = {"aal_original": np.array([1.0, 2.0, 3.0]), "aal_smoothed": np.array([10.0, 20.0, 30.0])}
    sample = wenzel_samples.Sample([], np.array([True, False, True]), data, "three scans")
    values, truth = sample.stacked(np.array([0, 1]), "mixed", "aal")
    assert values.tolist() == [1.0, 2.0, 10.0, 20.0]
    assert truth.tolist() == [True, False, True, False]


def test_smoothing_lowers_a_normal_sbr_and_the_lower_side_counts():
    scan = synthetic_scan(np.random.default_rng(4), reduced=True)
    found = wenzel_samples.measure(scan)
    slab, aal, hottest = found["original"]
    assert slab.shape == (91, 109)
    assert 0 < found["smoothed"][2] < hottest
    mirrored = wenzel_samples.measure(scan[::-1])["original"]
    assert mirrored[1] == pytest.approx(aal, rel=0.05)
    assert mirrored[2] == pytest.approx(hottest, rel=0.02)


def check_reference(reference, split, prepared):
    """A model's reference lies midway between the means of the training scans of both classes."""
    with split.open(newline="") as stream:
        training = [row for row in csv.DictReader(stream) if row["set"] == "training"]
    means = [
        np.mean(
            [np.load(prepared / f"{row['case']}.npy").astype(float) for row in training if row["label"] == label], 0
        )
        for label in ("normal", "reduced")
    ]
    assert "training scans" in reference.name
    assert np.abs(reference.voxels - ((means[0] + means[1]) / 2).clip(0)).max() < 0.0051  # stored in hundredths
    assert np.abs(means[0] - means[1]).max() > 0.5


def test_nazari2021_lrp_from_end_to_end(cohort, tmp_path, smallest, monkeypatch):
    more = ("--architecture", "compact", "--epochs", "1", "--tries", "normalized")
    assert run("nazari2021-lrp", cohort, tmp_path / "out", *more) == 0
    figures = ("mean_maps", "putamen_relevance", "roc", "learning_curves")
    tables = (
        "split",
        "balance",
        "test_answers",
        "network",
        "classification_tree",
        "sbr_of_the_lower_putamen",
        "relevance_of_the_ipsilateral_putamen_above_a_learned_cut",
        "tries",
    )
    summary = check_outputs("nazari2021-lrp", tmp_path / "out", figures, tables)
    assert "compact" in summary["warnings"][0]
    assert summary["sizes"]["epochs at most"] == 1
    with (tmp_path / "out" / "tables" / "learning_curves.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1"]
    model = find_model(tmp_path / "out" / "models" / "full")
    assert model.preprocessing.from_reference
    check_reference(model.reference, tmp_path / "out" / "tables" / "split.csv", cohort[1])
    with (tmp_path / "out" / "tables" / "test_answers.csv").open(newline="") as stream:
        answers = list(csv.DictReader(stream))
    with (tmp_path / "out" / "tables" / "tries.csv").open(newline="") as stream:
        study, normalized = csv.DictReader(stream)
    starts = [[row[name] for name in ("try", "initial_scale", "normalized_dense")] for row in (study, normalized)]
    assert starts == [["study", "1", "False"], ["normalized", "1", "True"]]
    assert 16 >= int(normalized["live_units"]) > 0
    assert float(study["accuracy"]) == pytest.approx(summary["results"]["test"]["network"]["accuracy"]["value"])
    assert study["validation_loss"] != normalized["validation_loss"]
    assert [path.name for path in (tmp_path / "out" / "models").iterdir()] == ["full"]  # models of tries are not kept
    # the model in the folder answers as the study did
    classifier = Classifier(find_model(tmp_path / "out" / "models" / "full"), "cpu")
    voxels = np.load(cohort[1] / f"{answers[0]['case']}.npy").astype(np.float32)
    answer = classifier.classify(voxels)
    assert float(answers[0]["logit_difference"]) == pytest.approx(answer.logit_difference, rel=1e-5)
    assert answer.label == answers[0]["network"]
    for method, column in ((LRP, "relevance"), (INTEGRATED_GRADIENTS, "integrated_gradients")):
        relevance = classifier.classify(voxels, map_method=method).relevance
        putamen = lower_putamen_relevance(relevance)[0]
        assert float(answers[0][f"ipsilateral_putamen_{column}"]) == pytest.approx(putamen, rel=1e-4)
    by_cut = "relevance of the ipsilateral putamen above a learned cut"
    for row in answers:
        above = float(row["ipsilateral_putamen_relevance"]) > summary["results"]["learned_cut"]
        assert row[by_cut] == ("reduced" if above else "normal")
    area = summary["results"]["roc_auc_of_putamen_relevance"]["value"]
    assert float(study["putamen_roc_auc"]) == pytest.approx(area)
    wrong = sorted(row["case"] for row in answers if row["label"] != row["network"])
    pictures = sorted(path.stem for path in (tmp_path / "out" / "figures" / "misclassified").glob("*.png"))
    assert pictures == wrong
    assert summary["results"]["errors"]["errors"] == len(wrong)
    monkeypatch.setattr(nazari_networks, "build_sets", None)
    resumes("nazari2021-lrp", cohort, tmp_path / "out", *more)


def test_nazari2021_extrastriatal_from_end_to_end(cohort, tmp_path, smallest, monkeypatch):
    more = ("--architecture", "compact", "--plain-input")
    assert run("nazari2021-extrastriatal", cohort, tmp_path / "out", *more) == 0
    tables = (
        "split",
        "balance",
        "test_full",
        "test_striatum",
        "test_without_striatum",
        "test_without_striatum_linear",
    )
    summary = check_outputs("nazari2021-extrastriatal", tmp_path / "out", ("learning_curves",), tables)
    assert find_model(tmp_path / "out" / "models" / "striatum").preprocessing.box == "striatum"
    for setting in ("full", "striatum", "without_striatum"):
        assert not find_model(tmp_path / "out" / "models" / setting).preprocessing.from_reference
    assert "scan itself" in summary["warnings"][1]
    assert find_model(tmp_path / "out" / "models" / "without_striatum").preprocessing.box == "without_striatum"
    with (tmp_path / "out" / "tables" / "learning_curves.csv").open(newline="") as stream:
        models = [row["model"] for row in csv.DictReader(stream)]
    assert [models.count(name) for name in ("full", "without_striatum")] == [1, 2]
    assert summary["results"]["confirmed"] == []  # nothing is lost outside the striatum of these scans
    assert set(summary["results"]["clusters"]) == {"full", "without_striatum"}
    monkeypatch.setattr(nazari_networks, "build_sets", None)
    resumes("nazari2021-extrastriatal", cohort, tmp_path / "out", *more)


# ---- what is refused


def test_an_unknown_study_and_options_of_others_are_refused(cohort, tmp_path, capsys):
    assert run("kim2019", cohort, tmp_path / "a") == cli.UNUSABLE
    message = capsys.readouterr().err
    assert all(name in message for name in STUDIES)
    assert run("wenzel2019", cohort, tmp_path / "a", "--random-weights") == cli.UNUSABLE
    assert "--random-weights is no option of wenzel2019" in capsys.readouterr().err
    assert run("kim2018", cohort, tmp_path / "a", "--epochs", "3") == cli.UNUSABLE
    assert "--epochs is no option of kim2018" in capsys.readouterr().err
    assert run("kim2018", cohort, tmp_path / "a", "--weights", str(tmp_path / "none.pth")) == cli.UNUSABLE
    assert "none.pth" in capsys.readouterr().err


def test_a_folder_of_another_run_is_refused(cohort, tmp_path):
    manifest, prepared = cohort
    options = StudyOptions(manifest, tmp_path / "out", "cpu", quick=True, prepared=prepared)
    Workspace("wenzel2019", options)
    Workspace("wenzel2019", options)  # the same again resumes
    for name, changed in (("quan2019", {}), ("wenzel2019", {"quick": False}), ("wenzel2019", {"seed": 1})):
        other = StudyOptions(**{**vars(options), **changed})
        with pytest.raises(DaTscanError, match="out holds a study of other scans, options or version"):
            Workspace(name, other)
    recipe = tmp_path / "out" / "work" / "recipe.json"
    begun_before = json.loads(recipe.read_text())
    del begun_before["reference"]  # midway was a template
    recipe.write_text(json.dumps(begun_before))
    with pytest.raises(DaTscanError, match="out holds a study of other scans, options or version"):
        Workspace("wenzel2019", options)


def test_other_independent_scans_under_the_same_name_are_refused(cohort, tmp_path):
    manifest, prepared = cohort
    other = tmp_path / "other.csv"
    other.write_text("scan,label\na.nii,normal\n")
    options = StudyOptions(manifest, tmp_path / "out", "cpu", prepared=prepared, independent=other)
    Workspace("wenzel2019", options)
    other.write_text("scan,label\nb.nii,normal\n")
    with pytest.raises(DaTscanError, match="out holds a study of other scans, options or version"):
        Workspace("wenzel2019", options)


def test_too_few_scans_are_refused(tmp_path):
    manifest, prepared = write_cohort(tmp_path / "few", 12)
    with pytest.raises(DaTscanError, match=r"manifest.csv has only 6 usable scans labelled normal"):
        run_study("wenzel2019", StudyOptions(manifest, tmp_path / "out", "cpu", quick=True, prepared=prepared))
