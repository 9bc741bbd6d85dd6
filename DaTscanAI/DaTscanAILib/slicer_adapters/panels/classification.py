"""Model and device."""

from slicer.i18n import tr as _

from .panel import Panel


class ClassificationPanel(Panel):
    """Choose a model and a device, classify."""

    def connect(self):
        self.ui.classifyButton.connect("clicked()", self.onClassify)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModelChosen)
        self.ui.modelFolderEdit.connect("currentPathChanged(QString)", self.onFolderChosen)
        self.keepPath(self.ui.secondReaderEdit, "secondReader")
        self.ui.installTorchButton.connect("clicked()", self.onInstallTorch)
        self._names = []
        self._folderChosen = False  # perhaps before its path is known
        self.fillModels()

    def fillModels(self):
        """List the shipped models and, last, a folder."""
        from ...classification.model_folder import shipped_models

        try:
            self._names = shipped_models()
        except FileNotFoundError:
            self._names = []
        selector = self.ui.modelSelector
        selector.blockSignals(True)
        selector.clear()
        for name in self._names:
            selector.addItem(name)
        selector.addItem(_("Model folder"))
        selector.blockSignals(False)

    def onModelChosen(self, index):
        """Keep a shipped model's name, or the folder."""
        if self.parameters is None or index < 0:
            return
        self._folderChosen = index >= len(self._names)
        self.parameters.model = self.ui.modelFolderEdit.currentPath if self._folderChosen else self._names[index]
        self._showFolder(self._folderChosen)

    def onFolderChosen(self, path):
        """Keep the folder where it is what is chosen."""
        if self.parameters is not None and self.ui.modelSelector.currentIndex >= len(self._names):
            self.parameters.model = path

    def onClassify(self):
        """Measure and classify with the registration that there is."""
        self.widget.runs.startScan("classification", keep="registration")

    def onInstallTorch(self):
        """Install PyTorch, or its extension, after asking."""
        from ..installation import offer_torch

        with self.widget.errorsSaid(_("PyTorch could not be installed.")):
            offer_torch()
        self.widget.refresh()

    def update(self, result, _state):
        from ...reporting.wording import value_of
        from ..installation import device_in_words, has_torch

        self._showModel()
        self.showPaths()
        used = value_of(result, "classification", "device")
        chosen = self.parameters.device.value if self.parameters else "auto"
        self.ui.deviceLabel.text = (
            _("{device} in the last run").format(device=used) if used else device_in_words(chosen)
        )
        self.ui.installTorchButton.visible = not has_torch()

    def _showModel(self):
        """Select the parameter node's model, or the one that a new scene begins with."""
        is_folder = self._folderChosen and not self.parameters.model
        name = "" if is_folder else (self.widget.session.model() or next(iter(self._names), ""))
        is_folder = name not in self._names
        selector = self.ui.modelSelector
        selector.blockSignals(True)
        selector.currentIndex = len(self._names) if is_folder else self._names.index(name)
        selector.blockSignals(False)
        self._showFolder(is_folder)
        if is_folder and self.ui.modelFolderEdit.currentPath != name:
            self.ui.modelFolderEdit.currentPath = name

    def _showFolder(self, visible):
        self.ui.modelFolderEdit.visible = self.ui.modelFolderCaption.visible = visible

    def enable(self, idle):
        self.ui.classifyButton.enabled = idle and self.volume is not None
        self.ui.installTorchButton.enabled = idle
