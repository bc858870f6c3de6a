"""Results as text, HTML, Markdown, LaTeX and Word."""
