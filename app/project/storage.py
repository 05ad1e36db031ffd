"""Static files under names that change with their content."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class ModulesToo(ManifestStaticFilesStorage):
    """JavaScript modules import each other by those names, too."""

    support_js_module_import_aggregation = True
