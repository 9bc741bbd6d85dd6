"""Slice and 3D views of a scene, drawn off screen by Slicer's own displayable managers."""

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import (
    vtkActor2D,
    vtkImageMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkRenderWindowInteractor,
    vtkWindowToImageFilter,
)

_SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
)
_MANAGERS_3D = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
)


class View:
    """A render window whose content the displayable managers make."""

    def __init__(self, slicer, factory, managers, size):
        self.slicer = slicer
        self.renderer, self.window = vtkRenderer(), vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        factory = factory.GetInstance()
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)
        self.group.Initialize(factory, self.renderer)

    def pixels(self):
        """RGB `(rows, columns, 3)`, row 0 on top."""
        self.window.Render()
        grabber = vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        columns, rows, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 3)[::-1].copy()

    def close(self):
        self.group.SetMRMLDisplayableNode(None)
        self.window.Finalize()


class SliceView(View):
    """One slice view of the scene.

    Args:
        name: "Red", "Green", "Yellow".
        orientation: "Axial", "Coronal", "Sagittal".
    """

    def __init__(self, slicer, name="Red", orientation="Axial", size=(400, 400)):
        super().__init__(slicer, slicer.vtkMRMLSliceViewDisplayableManagerFactory, _SLICE_MANAGERS, size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self.logic.SetMRMLScene(slicer.mrmlScene)
        slicer.app.applicationLogic().GetSliceLogics().AddItem(self.logic)  # the legend looks for it there
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.logic.ResizeSliceNode(*size)
        self.group.SetMRMLDisplayableNode(self.node)
        self.mapper = vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        self.actor = vtkActor2D()
        self.actor.SetMapper(self.mapper)
        self.actor.GetProperty().SetDisplayLocationToBackground()

    def pixels(self):
        connection = self.logic.GetImageDataConnection()
        if connection:
            self.mapper.SetInputConnection(connection)
            self.renderer.AddViewProp(self.actor)
        return super().pixels()

    def fit(self):
        """Fit the view to the background volume."""
        self.logic.FitSliceToBackground()

    def pixel_of(self, ras):
        """Row and column of a point in RAS mm that lies in the slice."""
        inverse = np.linalg.inv(self.slicer.util.arrayFromVTKMatrix(self.node.GetXYToRAS()))
        column, row, *_ = inverse @ [*ras, 1]
        return round(self.window.GetSize()[1] - 1 - row), round(column)


class ThreeDView(View):
    """The 3D view of the scene, looked at from the patient's left, front or above."""

    def __init__(self, slicer, size=(300, 300)):
        super().__init__(slicer, slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _MANAGERS_3D, size)
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLViewNode", "1")
        self.node.SetLayoutName("1")
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self.group.SetMRMLDisplayableNode(self.node)

    def look_from(self, direction, distance=450.0, up=(0, 0, 1), center=(0, -18, 10)):
        """Place the camera `distance` mm from a center in a direction."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(*center)
        camera.SetPosition(*(np.array(center) + distance * np.array(direction, float)))
        camera.SetViewUp(*up)
        self.renderer.ResetCameraClippingRange()
