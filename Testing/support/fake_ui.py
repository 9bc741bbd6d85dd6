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
    "ctkSliderWidget": ({"value": 0.0}, (), ("valueChanged(double)", "valueIsChanging(double)")),
    "QFrame": ({}, (), ()),
    "ctkPathLineEdit": ({"currentPath": ""}, (), ("currentPathChanged(QString)",)),
    "ctkCollapsibleButton": ({"text": "", "collapsed": False}, (), ("contentsCollapsed(bool)",)),
    "qMRMLNodeComboBox": (
        {},
        ("currentNode", "setCurrentNode", "sortFilterProxyModel"),
        ("currentNodeChanged(vtkMRMLNode*)",),
    ),
    "qMRMLTableView": ({"visible": True}, ("setMRMLTableNode", "horizontalHeader"), ()),
    "qMRMLWidget": ({}, (), ("mrmlSceneChanged(vtkMRMLScene*)",)),
}


# Properties that say when they are set to something else.
_CHANGES = {
    "checked": "toggled(bool)",
    "currentPath": "currentPathChanged(QString)",
    "currentIndex": "currentIndexChanged(int)",
    "value": "valueChanged(double)",
}
# What methods give.
_PARTS = {
    "sortFilterProxyModel": lambda: types.SimpleNamespace(hiddenNodeIDs=()),
    "horizontalHeader": lambda: types.SimpleNamespace(
        setMinimumSectionSize=lambda _pixels: None, setSectionResizeMode=lambda *_mode: None
    ),
}


class FakeWidget:
    """A widget of a class of `_CLASSES`: other names raise AttributeError, other signals ValueError."""

    def __init__(self, class_name, **values):
        properties, methods, signals = _CLASSES[class_name]
        state = {**_WIDGET[0], **properties, **{key: values[key] for key in values if key in properties}}
        self.__dict__.update(_state=state, _methods={*_WIDGET[1], *methods}, _signals={*signals}, calls=[], _slots=[])
        self._blocked, self._parts = False, {}
        state.update({key: values[key] for key in ("enabled", "visible") if key in values})

    def __getattr__(self, name):
        if name in self._state:
            return self._state[name]
        if name in self._methods and name in _PARTS:
            return lambda: self._parts.setdefault(name, _PARTS[name]())
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
        if changed and _CHANGES.get(name) in self._signals and not self._blocked:
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


class FakeSlider(FakeWidget):
    """As ctkSliderWidget without tracking: its value is the former one until the mouse is released."""

    def drag(self, *values):
        """Move to each value in turn and release the mouse at the last, as a person does."""
        if self.enabled:
            for value in values:
                self.emit("valueIsChanging(double)", value)
            self.value = values[-1]


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
    classes = {"ctkSliderWidget": FakeSlider}
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
