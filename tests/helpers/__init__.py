"""What tests share: networks, studies, programs, browsers, and references written by hand."""
