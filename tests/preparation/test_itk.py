import pytest

from skad.preparation.itk import itk_errors

LINES = """Exception thrown in SimpleITK ImageRegistrationMethod_Execute: /build/itkMetric.hxx:312:
ITK ERROR: MattesMutualInformationImageToImageMetricv4(0x55): All samples map outside moving image buffer."""


def test_errors_of_itk_are_one_sentence():
    with pytest.raises(
        ValueError, match=r"^SimpleITK could not align the images \(.*moving image buffer\): check"
    ):
        with itk_errors("align the images"):
            raise RuntimeError(LINES)
