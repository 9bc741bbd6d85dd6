"""Section 4: model, device and the members' votes."""

from slicer.i18n import tr as _

from .panel import Panel


class ClassificationPanel(Panel):
    """Choose a model and a device, classify."""

    def connect(self):
        self.ui.classifyButton.connect("clicked()", self.onClassify)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModelChosen)
        self.ui.modelFolderEdit.connect("currentPathChanged(QString)", self.onFolderChosen)
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
        self.ui.modelFolderEdit.enabled = self._folderChosen

    def onFolderChosen(self, path):
        """Keep the folder where it is what is chosen."""
        if self.parameters is not None and self.ui.modelSelector.currentIndex >= len(self._names):
            self.parameters.model = path

    def onClassify(self):
        """Measure and classify with the registration that there is."""
        self.widget.run("classification", keep="registration")

    def update(self, result):
        from ...reporting.wording import answer_of, value_of
        from ..installation import device_in_words

        self._showModel()
        classification = value_of(result, "classification")
        used = value_of(classification, "device")
        chosen = self.parameters.device.value if self.parameters else "auto"
        self.ui.deviceLabel.text = (
            _("{device} in the last run").format(device=used) if used else device_in_words(chosen)
        )
        if value_of(classification, "label") is None:
            self.ui.votesLabel.text = _("not classified yet")
            return
        answer = answer_of(result)
        model = _("Model {name}, version {version}: {trained_on}").format(
            name=answer.model, version=classification["model_version"], trained_on=classification["trained_on"]
        )
        self.ui.votesLabel.text = "\n".join(filter(None, [answer.probability, answer.votes, model]))

    def _showModel(self):
        """Select the parameter node's model."""
        name = self.parameters.model if self.parameters else ""
        if not name and self._names and not self._folderChosen:
            name = self._names[0]
        is_folder = name not in self._names
        selector = self.ui.modelSelector
        selector.blockSignals(True)
        selector.currentIndex = len(self._names) if is_folder else self._names.index(name)
        selector.blockSignals(False)
        self.ui.modelFolderEdit.enabled = is_folder
        if is_folder and self.ui.modelFolderEdit.currentPath != name:
            self.ui.modelFolderEdit.currentPath = name

    def enable(self, idle):
        self.ui.classifyButton.enabled = idle and self.volume is not None
