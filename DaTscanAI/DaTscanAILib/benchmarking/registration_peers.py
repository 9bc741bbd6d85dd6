"""Affine registration of a scan to the FP-CIT template by other libraries, each with settings that suit SPECT.

All take the template as the fixed image and the scan, smoothed by 8 mm like the template, as the moving one, start at
the centers of mass and maximize Mattes mutual information from coarse to fine. They are imported when first used.
"""

import tempfile
from pathlib import Path

import numpy as np

from ..base.resources import resource_path
from ..reading.scan import write_volume

SMOOTHING = 8.0  # mm
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def register_with_simpleitk(scan, template: Path | None = None, threads: int = 1) -> np.ndarray:
    """`scanner_from_mni` (4x4, RAS mm) by SimpleITK's Mattes mutual information and gradient descent.

    Args:
        scan: `reading.scan.Scan`.
        template: file of another FP-CIT template than the shipped one.
        threads: of the metric.
    """
    import SimpleITK as sitk

    fixed = sitk.ReadImage(str(template or _shipped_template()), sitk.sitkFloat32)
    moving = sitk.SmoothingRecursiveGaussian(_as_simpleitk(scan), SMOOTHING / 2.3548)
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(threads)
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentagePerLevel([0.5, 0.2], 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 100, 0.5)
    method.SetOptimizerScalesFromPhysicalShift()
    # A third level at full resolution costs as much again and changes the errors by less than 0.1 mm.
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([4, 2])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    affine = sitk.AffineTransform(start)
    matrix = np.reshape(affine.GetMatrix(), (3, 3))
    return _from_itk(matrix, affine.GetTranslation(), affine.GetCenter())


def register_with_elastix(scan, template: Path | None = None, threads: int = 1) -> np.ndarray:
    """`scanner_from_mni` (4x4, RAS mm) by elastix's affine parameter map, of itk-elastix."""
    import itk

    fixed = itk.imread(str(template or _shipped_template()), itk.F)
    moving = itk.smoothing_recursive_gaussian_image_filter(_as_itk(scan), sigma=SMOOTHING / 2.3548)
    parameters = itk.ParameterObject.New()
    settings = parameters.GetDefaultParameterMap("affine")
    settings["AutomaticTransformInitialization"] = ["true"]
    settings["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
    settings["RandomSeed"] = ["1"]
    parameters.AddParameterMap(settings)
    _, result = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, number_of_threads=threads, log_to_console=False
    )
    found = result.GetParameterMap(0)
    values = np.array(found["TransformParameters"], float)
    return _from_itk(values[:9].reshape(3, 3), values[9:], np.array(found["CenterOfRotationPoint"], float))


def register_with_ants(scan, template: Path | None = None) -> np.ndarray:
    """`scanner_from_mni` (4x4, RAS mm) by the `Affine` recipe of antspyx, on ITK's number of threads."""
    import ants

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan.nii"
        write_volume(file, scan.voxels, scan.affine)
        moving = ants.smooth_image(
            ants.image_read(str(file)), SMOOTHING, sigma_in_physical_coordinates=True, FWHM=True
        )
        fixed = ants.image_read(str(template or _shipped_template()))
        result = ants.registration(
            fixed, moving, type_of_transform="Affine", outprefix=str(Path(folder) / "out"), random_seed=1
        )
        affine = ants.read_transform(result["fwdtransforms"][0])
    values = np.array(affine.parameters)
    return _from_itk(values[:9].reshape(3, 3), values[9:], np.array(affine.fixed_parameters))


def _from_itk(matrix, shift, center) -> np.ndarray:
    """RAS matrix of ITK's x -> matrix (x - center) + center + shift, which is in LPS mm."""
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = np.asarray(shift) + center - matrix @ np.asarray(center)
    return LPS @ affine @ LPS


def _shipped_template():
    return resource_path("Templates", "fpcit_template_2mm.nii.gz")


def _as_simpleitk(scan):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(scan.voxels.transpose(2, 1, 0), np.float32))
    spacing, direction, origin = _itk_geometry(scan.affine)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin(origin.tolist())
    return image


def _as_itk(scan):
    import itk

    image = itk.image_from_array(np.ascontiguousarray(scan.voxels.transpose(2, 1, 0), np.float32))
    spacing, direction, origin = _itk_geometry(scan.affine)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(itk.matrix_from_array(direction))
    image.SetOrigin(origin.tolist())
    return image


def _itk_geometry(affine):
    """Spacing, direction cosines and origin in LPS mm of a voxel-to-RAS matrix."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return spacing, lps[:3, :3] / spacing, lps[:3, 3]
