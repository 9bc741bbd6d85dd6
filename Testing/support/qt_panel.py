"""The panel in real Qt, with stand-ins for the classes of CTK and Slicer: how much room it takes.

A program of its own (`python qt_panel.py`), as Qt's objects and the tests' interpreter do not end well together. It
prints, as JSON: `heights` of the whole panel and of its parts in pixels, `widths` that it needs at least, and the
table's columns.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

UI = Path(__file__).resolve().parents[2] / "DaTscanAI" / "Resources" / "UI" / "DaTscanAI.ui"
WIDTH = 470  # pixels, of the module panel as photographed
_HEADER = 22  # of a collapsible section
_TALL = 3000


class ctkSliderWidget(QtWidgets.QWidget):  # noqa: N801 - the names are CTK's and Slicer's
    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal))
        layout.addWidget(QtWidgets.QDoubleSpinBox())


class ctkPathLineEdit(QtWidgets.QWidget):  # noqa: N801
    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        box = QtWidgets.QComboBox()
        box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        layout.addWidget(box)
        layout.addWidget(QtWidgets.QToolButton())


class qMRMLWidget(QtWidgets.QWidget):  # noqa: N801
    pass


class qMRMLNodeComboBox(QtWidgets.QComboBox):  # noqa: N801
    pass


class qMRMLTableView(QtWidgets.QTableView):  # noqa: N801
    pass


class ctkCollapsibleButton(QtWidgets.QWidget):  # noqa: N801
    pass


_STAND_INS = (
    qMRMLWidget,
    qMRMLNodeComboBox,
    qMRMLTableView,
    ctkCollapsibleButton,
    ctkSliderWidget,
    ctkPathLineEdit,
)
_KEPT = []  # Qt does not keep the loader of the widgets that are made by Python


def load_panel():
    """The panel and its sections by name."""
    loader = QtUiTools.QUiLoader()
    _KEPT.append(loader)
    for kind in _STAND_INS:
        loader.registerCustomWidget(kind)
    panel = loader.load(str(UI))
    sections = {}
    for widget in panel.findChildren(QtWidgets.QWidget):
        if type(widget).__name__ == "ctkCollapsibleButton":
            sections[widget.objectName()] = widget
            margins = widget.layout().contentsMargins()
            widget.layout().setContentsMargins(margins.left(), _HEADER + 3, margins.right(), margins.bottom())
    return panel, sections


def fold(section, collapsed):
    """As CTK does it: the contents are hidden, the header stays."""
    for child in section.children():
        if isinstance(child, QtWidgets.QWidget):
            hidden = collapsed or child.property("hiddenByCode") is True
            child.setVisible(not hidden)
    section.setMaximumHeight(_HEADER if collapsed else 16777215)


def show_result(panel, texts, table):
    """Fill in what a result brings."""
    for name, text in texts.items():
        label = panel.findChild(QtWidgets.QLabel, name)
        label.setText(text)
        label.setProperty("hiddenByCode", not text)
    view = panel.findChild(QtWidgets.QTableView, "sbrTableView")
    model = QtGui.QStandardItemModel(len(table) - 1, len(table[0]))
    model.setHorizontalHeaderLabels(table[0])
    for row, cells in enumerate(table[1:]):
        for column, text in enumerate(cells):
            model.setItem(row, column, QtGui.QStandardItem(text))
    view.setModel(model)
    view.setProperty("hiddenByCode", False)
    view.horizontalHeader().setMinimumSectionSize(30)
    view.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
    return view


def bottom(panel, name):
    """Pixels from the panel's top to the lower edge of a widget."""
    widget = panel.findChild(QtWidgets.QWidget, name)
    return widget.mapTo(panel, QtCore.QPoint(0, 0)).y() + widget.height()


def main():
    facts = json.loads(sys.argv[1])
    application = QtWidgets.QApplication([])
    panel, sections = load_panel()
    view = show_result(panel, facts["texts"], facts["table"])
    for name in facts["hidden"]:
        panel.findChild(QtWidgets.QWidget, name).setProperty("hiddenByCode", True)
    answer = {"heights": {}, "widths": {}}
    panel.resize(WIDTH, _TALL)
    panel.show()
    for state in ("unfolded", "as it opens"):
        for section in sections.values():
            fold(section, section.property("collapsed") is True and state != "unfolded")
        for _pass in range(3):  # a section within a section
            application.processEvents()
        answer["heights"][state] = bottom(panel, "logCollapsibleButton")
        answer["widths"][state] = panel.layout().totalMinimumSize().width()
    metrics = view.fontMetrics()
    answer["columns"] = [
        [view.columnWidth(column), max(metrics.horizontalAdvance(row[column]) for row in facts["table"])]
        for column in range(len(facts["table"][0]))
    ]
    answer["table"] = [
        view.viewport().width(),
        view.horizontalScrollBar().maximum(),
        view.verticalScrollBar().maximum(),
    ]
    answer["bottoms"] = {name: bottom(panel, name) for name in facts["bottoms"]}
    if len(sys.argv) > 2:
        panel.grab().save(sys.argv[2])
    print(json.dumps(answer), flush=True)
    os._exit(0)  # the order in which Qt's objects go at the end is not the matter here


if __name__ == "__main__":
    main()
