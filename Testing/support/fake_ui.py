"""The panel's widgets without Qt: made from the .ui file, and as strict as PythonQt about names and signals."""

import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "DaTscanAI"
UI = MODULE_FOLDER / "Resources" / "UI" / "DaTscanAI.ui"

# What the module may use of each class: properties, methods, signals as Qt, CTK and Slicer declare them.
_WIDGET = ({"enabled": True, "visible": True, "toolTip": ""}, ("setMRMLScene",), ())
_CLASSES = {
    "QLabel": ({"text": ""}, (), ()),
    "QPushButton": ({"text": "", "checked": False}, (), ("clicked()", "clicked(bool)", "toggled(bool)")),
    "QCheckBox": ({"text": "", "checked": False}, (), ("toggled(bool)", "stateChanged(int)")),
    "QComboBox": ({"currentIndex": -1, "currentText": ""}, ("addItem", "clear"), ("currentIndexChanged(int)",)),
    "QDoubleSpinBox": ({"value": 0.0}, (), ("valueChanged(double)",)),
    "QProgressBar": ({"value": 0, "minimum": 0, "maximum": 100}, (), ()),
    "QPlainTextEdit": ({"plainText": ""}, ("appendPlainText", "clear"), ()),
    "ctkSliderWidget": ({"value": 0.0}, (), ("valueChanged(double)",)),
    "ctkPathLineEdit": ({"currentPath": ""}, (), ("currentPathChanged(QString)",)),
    "ctkCollapsibleButton": ({"text": "", "collapsed": False}, (), ("contentsCollapsed(bool)",)),
    "qMRMLNodeComboBox": ({}, ("currentNode", "setCurrentNode"), ("currentNodeChanged(vtkMRMLNode*)",)),
    "qMRMLTransformSliders": ({}, (), ("valuesChanged()",)),
    "qMRMLTableView": ({"visible": True}, ("setMRMLTableNode", "resizeColumnsToContents"), ()),
    "qMRMLWidget": ({}, (), ("mrmlSceneChanged(vtkMRMLScene*)",)),
}


# Properties that say when they are set to something else.
_CHANGES = {
    "checked": "toggled(bool)",
    "currentPath": "currentPathChanged(QString)",
    "currentIndex": "currentIndexChanged(int)",
}


class FakeWidget:
    """A widget of a class of `_CLASSES`: other names raise AttributeError, other signals ValueError."""

    def __init__(self, class_name, **values):
        properties, methods, signals = _CLASSES[class_name]
        state = {**_WIDGET[0], **properties, **{key: values[key] for key in values if key in properties}}
        self.__dict__.update(_state=state, _methods={*_WIDGET[1], *methods}, _signals={*signals}, calls=[], _slots=[])
        self._blocked = False
        if "enabled" in values:
            state["enabled"] = values["enabled"]

    def __getattr__(self, name):
        if name in self._state:
            return self._state[name]
        if name in self._methods:
            return lambda *arguments: self.calls.append((name, *arguments))
        raise AttributeError(name)

    def __setattr__(self, name, value):
        if name.startswith("_"):
            return super().__setattr__(name, value)
        if name not in self._state:
            raise AttributeError(name)
        changed = self._state[name] != value
        self._state[name] = value
        if changed and name in _CHANGES and not self._blocked:
            self.emit(_CHANGES[name], value)
        return None

    def blockSignals(self, blocked):  # noqa: N802
        """As Qt's: a property that is set says nothing."""
        self._blocked = blocked

    def connect(self, signal, slot):
        """As PythonQt's: an unknown signal is an error."""
        if signal not in self._signals:
            raise ValueError(f"no signal {signal}")
        self._slots.append((signal, slot))

    def emit(self, signal, *arguments):
        """Call what is connected."""
        for name, slot in self._slots:
            if name == signal:
                slot(*arguments)

    def click(self):
        """As a person does; a disabled button does nothing."""
        if self.enabled:
            self.emit("clicked()")


class FakeTransformSliders(FakeWidget):
    """As qMRMLTransformSliders: enabled while a transform is bound, and anew whenever that is modified."""

    def __init__(self, class_name, **values):
        super().__init__(class_name, **values)
        self._transform = self._observer = None

    def setMRMLTransformNode(self, transform):  # noqa: N802
        """Bind a transform, or None; what is bound already is left as it is."""
        if transform is self._transform:
            return
        if self._transform is not None:
            self._transform.RemoveObserver(self._observer)
        self._transform = transform
        self.enabled = transform is not None
        if transform is not None:
            self._observer = transform.AddObserver(transform.TransformModifiedEvent, self._enable)

    def _enable(self, *_):
        self.enabled = True

    def move(self, x):
        """Shift what is bound to a place in mm, as a person does; a disabled slider does nothing."""
        if self.enabled:
            self._set_translation(x)

    def reset(self):
        """To zero, and what is bound with it."""
        if self._transform is not None:
            self._set_translation(0)

    def _set_translation(self, x):
        from vtkmodules.vtkCommonMath import vtkMatrix4x4

        matrix = vtkMatrix4x4()
        self._transform.GetMatrixTransformToParent(matrix)
        matrix.SetElement(0, 3, x)
        self._transform.SetMatrixTransformToParent(matrix)


class Parent:
    """The module's frame in Slicer."""

    isEntered = True  # noqa: N815

    class Layout:
        def addWidget(self, widget):  # noqa: N802
            self.widget = widget

    def __init__(self):
        self._layout = self.Layout()

    def layout(self):
        return self._layout


def fake_ui() -> types.SimpleNamespace:
    """All named widgets of the panel."""
    classes = {"qMRMLTransformSliders": FakeTransformSliders}
    return types.SimpleNamespace(
        **{name: classes.get(kind, FakeWidget)(kind, **values) for name, kind, values in widgets_of_ui()}
    )


def widgets_of_ui():
    """`(name, class, initial values)` of each widget in the .ui file."""
    for widget in ElementTree.parse(UI).iter("widget"):
        values = {}
        for entry in widget.findall("property"):
            value = entry[0]
            if value.tag in ("string", "bool", "number", "double"):
                kinds = {"bool": lambda text: text == "true", "number": int, "double": float}
                values[entry.get("name")] = kinds.get(value.tag, str)(value.text or "")
        yield widget.get("name"), widget.get("class"), values
