"""Training of small encoders from pretrained parts: EfficientNet-Lite beside a frozen MiniLM.

Constant inputs are computed once and cached: MiniLM's means of every sentence, and a teacher's
vectors of every image and sentence. `python -m terraseek_train.small.train RECIPE.json` trains one
network, `.soup` averages several, `.heads` trains only the heads on stored features, `.finish` adds
the hubness correction, and `terraseek_train.release` measures and writes the card.
"""
