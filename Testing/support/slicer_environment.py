"""Real MRML without the application: `slicer-core`'s scene, logics and views, and stand-ins for what only Qt has.

`prepare()` makes `import slicer` look like Slicer's Python to the module's code. Where `DATSCANAI_SLICER_SOURCE`
names a checkout of Slicer, its own Python classes (parameter node wrapper, module base classes) take the place of
the stand-ins.
"""

# ruff: noqa: N802 - the names are Slicer's

import enum
import os
import sys
import types
import typing
import unittest
from pathlib import Path

from vtkmodules.vtkCommonCore import vtkCollection

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "DaTscanAI"
_LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "volumerendering": "vtkSlicerVolumeRenderingLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
}


def prepare():
    """The package `slicer` with an empty scene, module logics and the Python classes that modules import."""
    import slicer

    if not hasattr(slicer, "modules"):
        _add_scene(slicer)
        _add_qt()
        _add_python_classes(slicer)
    slicer.mrmlScene.Clear(True)
    slicer.app.settings.clear()
    _add_singletons(slicer)
    return slicer


def _add_scene(slicer):
    slicer.mrmlScene = slicer.vtkMRMLScene()
    application_logic = slicer.vtkMRMLApplicationLogic()
    application_logic.SetMRMLScene(slicer.mrmlScene)
    application_logic.SetSliceLogics(vtkCollection())
    slicer.app = Application(application_logic)
    slicer.modules = types.SimpleNamespace(dicomPlugins={})
    logics = {name: getattr(slicer, class_name)() for name, class_name in _LOGICS.items()}
    for logic in logics.values():
        logic.SetMRMLApplicationLogic(application_logic)
    logics["volumerendering"].RegisterRenderingMethod(
        "VTK GPU Ray Casting", "vtkMRMLGPURayCastVolumeRenderingDisplayNode"
    )
    logics["volumerendering"].SetDefaultRenderingMethod("vtkMRMLGPURayCastVolumeRenderingDisplayNode")
    for name, logic in logics.items():
        logic.SetMRMLScene(slicer.mrmlScene)
        setattr(slicer.modules, name, Module(logic))


class Application:
    """What the adapters ask of `slicer.app` where there is no window."""

    def __init__(self, logic):
        self.logic = logic
        self.connections = []
        self.settings = {}

    def applicationLogic(self):
        return self.logic

    def layoutManager(self):
        return None

    def testingEnabled(self):
        return True

    def processEvents(self):
        pass

    def translate(self, _context, text):
        return text

    def connect(self, signal, slot):
        self.connections.append((signal, slot))

    def userSettings(self):
        return self

    def value(self, key):
        return self.settings.get(key)

    def commandOptions(self):
        return types.SimpleNamespace(noMainWindow=True)


class Module:
    """A loadable module of which only the logic is wanted."""

    def __init__(self, logic):
        self._logic = logic

    def logic(self):
        return self._logic


def _add_singletons(slicer):
    """What the application puts into each scene: default color tables and the nodes that its views look for."""
    slicer.modules.colors.logic().AddDefaultColorNodes()
    logic = slicer.app.applicationLogic()
    for scene in (None, slicer.mrmlScene):  # it adds its selection and interaction node when it is given a scene
        logic.SetMRMLScene(scene)
    if slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") is None:
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSubjectHierarchyNode")


class Anything(types.ModuleType):
    """A module whose every name is an empty class: enough for code that only names Qt's classes."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, type(name, (), {}))
        return getattr(self, name)


def _add_qt():
    for name in ("qt", "ctk"):
        sys.modules.setdefault(name, Anything(name))
    qt = sys.modules["qt"]
    qt.QTimer, qt.QShortcut, qt.QHeaderView = QTimer, QShortcut, types.SimpleNamespace(Stretch=1, ResizeToContents=3)
    qt.QKeySequence = str


class QTimer:
    """Time passes at once."""

    @staticmethod
    def singleShot(_milliseconds, slot):
        slot()


class QShortcut:
    """Keys that a test can press."""

    def __init__(self, keys, parent):
        self.keys, self.parent, self._slots = keys, parent, []

    def connect(self, signal, slot):
        assert signal == "activated()"
        self._slots.append(slot)

    def press(self):
        for slot in self._slots:
            slot()


def _add_python_classes(slicer):
    source = os.environ.get("DATSCANAI_SLICER_SOURCE")
    if source:
        slicer.__path__.append(str(Path(source) / "Base" / "Python" / "slicer"))
        slicer.__getattr__ = lambda name: _gui_class(slicer, name)
    else:
        _add_module("slicer.i18n", tr=lambda text: text, translate=lambda _context, text: text)
        _add_module(
            "slicer.parameterNodeWrapper", parameterNodeWrapper=parameter_node_wrapper, WithinRange=WithinRange
        )
        names = ("", "Widget", "Logic", "Test")
        classes = {f"ScriptedLoadableModule{name}": globals()[f"ScriptedLoadableModule{name}"] for name in names}
        _add_module("slicer.ScriptedLoadableModule", __all__=list(classes), **classes)
    _add_module("DICOMLib", DICOMPlugin=DICOMPlugin, DICOMLoadable=DICOMLoadable)


def _gui_class(slicer, name):
    if not name.startswith(("qMRML", "qSlicer")):
        raise AttributeError(name)
    setattr(slicer, name, type(name, (), {}))
    return getattr(slicer, name)


def _add_module(name, **content):
    module = types.ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename):
        return str(MODULE_FOLDER / "Resources" / filename)

    def setup(self):
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        import slicer

        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", self.moduleName)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message):
        print(message)


class WithinRange:
    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def check(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} to {self.maximum}")


def parameter_node_wrapper(wrapped):
    """A stand-in that keeps parameters on the node as Slicer's wrapper does: texts, enum names, node references."""
    for name, hint in typing.get_type_hints(wrapped, include_extras=True).items():
        kind, *checks = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        setattr(wrapped, name, _parameter(name, kind, checks, getattr(wrapped, name, None)))
    wrapped.__init__ = lambda self, parameterNode: setattr(self, "parameterNode", parameterNode)
    wrapped.AddObserver = lambda self, *arguments: self.parameterNode.AddObserver(*arguments)
    wrapped.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    wrapped.connectGui = lambda _self, _ui: 0
    wrapped.disconnectGui = lambda _self, _tag: None
    return wrapped


def _parameter(name, kind, checks, default):
    import slicer

    is_node = issubclass(kind, slicer.vtkMRMLNode)

    def read(self):
        if is_node:
            return self.parameterNode.GetNodeReference(name)
        text = self.parameterNode.GetParameter(name)
        if not text:
            return kind() if default is None else default
        return kind[text] if issubclass(kind, enum.Enum) else text == "True" if kind is bool else kind(text)

    def write(self, value):
        for check in checks:
            check.check(value)
        if is_node:
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value else None)
        else:
            self.parameterNode.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))

    return property(read, write)


class DICOMPlugin:
    def __init__(self):
        self.tags = {"seriesInstanceUID": "0020,000E"}

    def addSeriesInSubjectHierarchy(self, loadable, node):
        pass


class DICOMLoadable:
    pass
