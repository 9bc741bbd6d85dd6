"""What belongs to the workplace, not to a scene: the panel "DaTscan AI" of Slicer's application settings."""

import slicer
from slicer.i18n import tr as _

DEFAULT_MODEL, NORMALS = "DaTscanAI/DefaultModel", "DaTscanAI/Normals"
REPORT_LANGUAGE = "DaTscanAI/ReportLanguage"


def setting(key: str) -> str:
    """A setting's value; empty where nothing was set."""
    return str(slicer.app.userSettings().value(key) or "")


def add_settings_panel() -> None:
    """Add the panel to the application settings, where there is a window."""
    if slicer.app.commandOptions().noMainWindow:
        return
    slicer.app.settingsDialog().addPanel(_("DaTscan AI"), _new_panel())


def _new_panel():
    import ctk
    import qt

    panel = ctk.ctkSettingsPanel()
    layout = qt.QFormLayout(panel)
    models = _models_box()
    layout.addRow(_("Default model:"), models)
    panel.registerProperty(
        DEFAULT_MODEL, models, "currentUserDataAsString", str(qt.SIGNAL("currentIndexChanged(int)"))
    )
    normals = ctk.ctkPathLineEdit()
    normals.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Files
    normals.toolTip = _("The database of normal scans that every scan is set beside, if the panel names no other.")
    layout.addRow(_("Normals:"), normals)
    panel.registerProperty(NORMALS, normals, "currentPath", str(qt.SIGNAL("currentPathChanged(QString)")))
    languages = _languages_box()
    layout.addRow(_("Report language:"), languages)
    panel.registerProperty(
        REPORT_LANGUAGE, languages, "currentUserDataAsString", str(qt.SIGNAL("currentIndexChanged(int)"))
    )
    return panel


def _languages_box():
    import ctk

    from ..reporting.language import Language, language_names

    box = ctk.ctkComboBox()
    box.toolTip = _("Of the PDF reports, if the panel names no other.")
    for name in language_names():
        box.addItem(Language(name).title, name)
    return box


def _models_box():
    import ctk

    from ..classification.model_folder import shipped_models

    box = ctk.ctkComboBox()
    box.toolTip = _("The networks that a new scene begins with.")
    box.addItem(_("As shipped"), "")
    for name in shipped_models():
        box.addItem(name, name)
    return box
