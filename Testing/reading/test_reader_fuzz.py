"""Damaged and hostile files: the project's own error or a scan, nothing else, in bounded memory."""

import resource
import sys
import warnings
from pathlib import Path

import dicom_factory as factory
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from volume_factory import affine_of, itk_image, marker_volume

from DaTscanAILib.base.errors import DaTscanError
from DaTscanAILib.reading.inputs import collect_cases
from DaTscanAILib.reading.scan import Scan, read_scan, write_volume

SHAPE = (21, 20, 22)
FILES_EACH = 450
BOUNDED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,  # the same inputs in every run: a failure is the change's, not the day's
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def nifti(path):
    write_volume(path, marker_volume(affine_of(shape=SHAPE), SHAPE), affine_of(shape=SHAPE))


def itk(path, compressed):
    SimpleITK.WriteImage(
        itk_image(marker_volume(affine_of(shape=SHAPE), SHAPE), affine_of(shape=SHAPE)), path, compressed
    )


def dicom(path, **options):
    dataset = factory.nm_dataset(shape=SHAPE, **options)
    factory.save(dataset, path, options.pop("syntax", factory.ExplicitVRLittleEndian))


# name: (file name, how to write it, bytes of header in which most damage is done)
FORMATS = {
    "NIfTI": ("scan.nii", nifti, 352),
    "NIfTI gz": ("scan.nii.gz", nifti, 200),
    "NRRD": ("scan.nrrd", lambda path: itk(path, compressed=False), 420),
    "NRRD gz": ("scan.nrrd", lambda path: itk(path, compressed=True), 440),
    "MetaImage": ("scan.mha", lambda path: itk(path, compressed=False), 360),
    "MetaImage zlib": ("scan.mha", lambda path: itk(path, compressed=True), 380),
    "DICOM": ("scan.dcm", dicom, 2200),
    "DICOM groups": ("scan.dcm", lambda path: dicom(path, geometry="groups"), 4000),
    "DICOM RLE": (
        "scan.dcm",
        lambda path: factory.save(factory.nm_dataset(shape=SHAPE), path, factory.RLELossless),
        2600,
    ),
}


@pytest.fixture
def bounded_memory():
    """At most 1.5 GiB of address space beyond what the process has: a claimed size may not be believed."""
    if sys.platform != "linux":
        yield
        return
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 3 * 2**29, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("name", FORMATS)
def test_flipped_bytes(name, tmp_path, bounded_memory, caplog):
    """Bits flipped, bytes replaced, inserted, taken out, the end cut off; most of it in the header."""
    file_name, write, header = FORMATS[name]
    path = tmp_path / file_name
    write(path)
    whole = path.read_bytes()
    generator = np.random.default_rng(2026)
    refused = 0
    for _ in range(FILES_EACH):
        path.write_bytes(damaged(whole, header, generator))
        refused += outcome(path) is None
    assert refused > 0.05 * FILES_EACH  # the damage is real
    assert caplog.records == []  # what pydicom has to say may quote the header


@pytest.mark.parametrize("name", ["NIfTI", "NRRD", "MetaImage", "DICOM"])
def test_any_beginning(name, tmp_path, bounded_memory):
    """A file whose header is a piece of a valid one between arbitrary bytes."""
    file_name, write, header = FORMATS[name]
    path = tmp_path / file_name
    write(path)
    whole = path.read_bytes()

    @BOUNDED
    @given(st.binary(max_size=60), st.integers(0, header), st.binary(max_size=400))
    def read(start, kept, rest):
        path.write_bytes(start + whole[len(start) : kept] + rest)
        outcome(path)

    read()


@pytest.mark.parametrize("name", ["NRRD", "MetaImage"])
def test_words_of_a_text_header_replaced(name, tmp_path, bounded_memory):
    file_name, write, _ = FORMATS[name]
    path = tmp_path / file_name
    write(path)
    whole = path.read_bytes()
    end = whole.index(b"\n\n") if name == "NRRD" else whole.index(b"LOCAL") + 5
    words = whole[:end].split(b" ")
    hostile = st.sampled_from(
        [
            b"0",
            b"-1",
            b"nan",
            b"inf",
            b"1e308",
            b"9" * 30,
            b"",
            b"(0,0,0)",
            b"none",
            b"\xff\xfe",
            b"%s",
            b"(",
            b"1e-320",
        ]
    )

    @BOUNDED
    @given(st.lists(st.tuples(st.integers(0, len(words) - 1), hostile), min_size=1, max_size=4))
    def read(changes):
        changed = list(words)
        for index, word in changes:
            changed[index] = word + (b"\n" if b"\n" in changed[index] else b"")
        path.write_bytes(b" ".join(changed) + whole[end:])
        outcome(path)

    read()


@pytest.mark.parametrize("version", [1, 2])
def test_fields_of_a_nifti_header_replaced(version, tmp_path, bounded_memory):
    path = tmp_path / "scan.nii"
    image_class, header_class = (
        (nibabel.Nifti1Image, nibabel.Nifti1Header) if version == 1 else (nibabel.Nifti2Image, nibabel.Nifti2Header)
    )
    nibabel.save(image_class(marker_volume(affine_of(shape=SHAPE), SHAPE), affine_of(shape=SHAPE)), path)
    whole = path.read_bytes()
    hostile = [np.nan, np.inf, -np.inf, 0, -1, 1, 2, 3, 7, 255, 32767, -32768, 1e30, -1e30, 2**62, 3.5]
    record = np.frombuffer(whole, header_class.template_dtype, 1)[0]
    fields = [name for name in record.dtype.names if record[name].dtype.kind in "iuf" and name != "sizeof_hdr"]

    @BOUNDED
    @given(
        st.lists(
            st.tuples(st.sampled_from(fields), st.integers(0, 11), st.sampled_from(hostile)),
            min_size=1,
            max_size=5,
        )
    )
    def read(changes):
        changed = record.copy()
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            for name, index, value in changes:
                flat = np.atleast_1d(changed[name]).ravel()
                flat[index % flat.size] = np.array(value).astype(flat.dtype)
                changed[name] = flat.reshape(changed[name].shape)
        path.write_bytes(changed.tobytes() + whole[record.nbytes :])
        outcome(path)

    read()


ELEMENTS = [
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "SamplesPerPixel",
    "PixelSpacing",
    "PixelRepresentation",
    "SliceVector",
    "SpacingBetweenSlices",
    "SliceThickness",
    "ImageType",
    "Modality",
    "RescaleSlope",
    "RescaleIntercept",
    "DetectorInformationSequence",
    "FrameIncrementPointer",
    "SOPClassUID",
    "PatientAge",
    "PatientName",
    "PatientSex",
    "PatientPosition",
    "PhotometricInterpretation",
    "SeriesInstanceUID",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "EnergyWindowVector",
]
BYTES = st.one_of(
    st.sampled_from(
        [
            b"",
            b"0",
            b"-1",
            b"nan",
            b"1e400",
            b"inf\\inf",
            b"\xff" * 8,
            b"65535 ",
            b"RECON TOMO",
            b"\\" * 6,
            b"0\\0\\0\\0\\0\\0",
        ]
    ),
    st.binary(max_size=24),
)


def test_elements_of_a_dicom_header_replaced(tmp_path, bounded_memory):
    """Each element with the bytes of something else, as damaged or hostile headers have them."""
    path = tmp_path / "scan.dcm"
    dicom(path, geometry="top")
    whole = pydicom.dcmread(path)

    @BOUNDED
    @given(st.dictionaries(st.sampled_from(ELEMENTS), BYTES, min_size=1, max_size=4))
    def read(changes):
        dataset = pydicom.Dataset()
        dataset.update(whole)
        dataset.file_meta = whole.file_meta
        for keyword, value in changes.items():
            vr = pydicom.datadict.dictionary_VR(keyword)
            if vr == "SQ":
                dataset.pop(keyword, None)
                continue
            tag = pydicom.datadict.tag_for_keyword(keyword)
            padded = value + b" " * (len(value) % 2)
            dataset[tag] = pydicom.dataelem.RawDataElement(
                pydicom.tag.Tag(tag), vr.split(" ")[0], len(padded), padded, 0, False, True
            )
        with warnings.catch_warnings(action="ignore"):
            try:
                dataset.save_as(path, enforce_file_format=True)
            except Exception:  # what pydicom does not write needs no reading
                return
        outcome(path)

    read()


CELLS = st.one_of(
    st.sampled_from(
        [
            "scan.nii",
            "../scan.nii",
            "/etc/passwd",
            "",
            "normal",
            "reduced",
            "F",
            "M",
            "70",
            "nan",
            "=1+1",
            '"',
            "\\",
            "a;b",
            "\t",
            "\r",
            "x" * 400,
            "scan",
            "case",
            "\ufeff",
            "\u202e",
            "~",
            "C:\\x",
            "//host/share",
        ]
    ),
    st.text(max_size=12),
)
COLUMNS = st.lists(st.sampled_from(["scan", "case", "label", "age", "sex", "site", "Scan", "note", ""]), max_size=7)


@settings(BOUNDED, max_examples=800)
@given(COLUMNS, st.lists(st.lists(CELLS, max_size=8), max_size=6), st.sampled_from(",;\t"))
def test_manifests(tmp_path_factory, columns, rows, delimiter):
    folder = manifest_folder(tmp_path_factory)
    text = "\n".join(delimiter.join(cells) for cells in [columns, *rows])
    (folder / "list.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_sound_cases(folder)


@settings(BOUNDED, max_examples=400)
@given(st.binary(max_size=300), st.booleans())
def test_manifests_of_any_bytes(tmp_path_factory, data, with_header):
    folder = manifest_folder(tmp_path_factory)
    (folder / "list.csv").write_bytes((b"scan,case\n" if with_header else b"") + data)
    assert_sound_cases(folder)


# --- helpers ----------------------------------------------------------------------------------------------


def outcome(path) -> Scan | None:
    """A sound scan, or None if it was refused with one sentence; anything else fails the test."""
    with warnings.catch_warnings(action="error"):
        try:
            scan = read_scan(path)
        except DaTscanError as error:
            sentence = str(error)
            assert sentence.startswith("scan.")
            assert sentence.endswith(".")
            assert sentence.isprintable()
            assert len(sentence) < 400
            return None
    assert scan.voxels.dtype == np.float32
    assert scan.voxels.ndim == 3
    assert np.isfinite(scan.voxels).all()
    assert np.isfinite(scan.affine).all()
    assert min(scan.voxels.shape) >= 20
    return scan


def damaged(whole, header, generator) -> bytes:
    data = bytearray(whole)
    for _ in range(generator.integers(1, 5)):
        end = header if generator.random() < 0.85 else len(data)
        place = int(generator.integers(0, min(end, len(data))))
        kind = generator.integers(6)
        if kind == 0:
            data[place] ^= 1 << generator.integers(8)
        elif kind == 1:
            data[place] = generator.integers(256)
        elif kind == 2:
            data[place : place + 4] = generator.choice(
                [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\x80\x7f"]
            )
        elif kind == 3:
            data[place:place] = bytes(generator.integers(0, 256, generator.integers(1, 4), np.uint8))
        elif kind == 4:
            del data[place : place + int(generator.integers(1, 4))]
        elif generator.random() < 0.2:
            del data[place:]
        if not data:
            break
    return bytes(data)


def manifest_folder(factory) -> Path:
    """One folder for all examples, with the scan that manifests may name."""
    folder = factory.getbasetemp() / "manifests"
    if not folder.exists():
        folder.mkdir()
        nifti(folder / "scan.nii")
    return folder


def assert_sound_cases(folder):
    try:
        cases = collect_cases([folder / "list.csv"])
    except DaTscanError as error:
        sentence = str(error)
        assert sentence.startswith("list.csv ")
        assert "\n" not in sentence
        return
    names = [case.name.casefold() for case in cases]
    assert len(set(names)) == len(names)
    for case in cases:
        assert (case.path is None) == (case.error is not None)
        assert case.name.strip("._-") == case.name or case.name.endswith("_")
        assert not set(case.name) & set('/\\:*?"<>|\n\r\t\0')
        assert case.name[0] not in "=+-@"
        assert case.label in (None, "normal", "reduced")
        assert case.age is None or 0 <= case.age <= 130
        assert case.path is None or case.path.is_relative_to(folder)
        assert case.error is None or case.error.isprintable()
