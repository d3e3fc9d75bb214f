"""Where the documentation is, so that the diagram of an estimator links to its page."""

DOCUMENTATION = "https://skad-developers.github.io/skad"


class DocumentationLinkMixin:
    """Let the HTML diagram of an estimator link to its page of the API reference.

    Comes before `sklearn.base.BaseEstimator`. Estimators that others derive from one of skad have no such
    page and get no link.
    """

    _doc_link_module = "skad"
    _doc_link_template = DOCUMENTATION + "/api/generated/{package}.{name}.html"

    def _doc_link_url_param_generator(self):
        package, _, _ = type(self).__module__.rpartition(".")
        return {"package": package, "name": type(self).__name__}
