"""Networks on disk: safetensors for the numbers and JSON for everything else, never a pickle."""

from .checkpoint import Checkpoint as Checkpoint
from .checkpoint import expect_run as expect_run
from .checkpoint import load as load
from .checkpoint import load_checkpoint as load_checkpoint
from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import write_checkpoint as write_checkpoint
from .listen import Heard as Heard
from .listen import listen as listen
from .look import EVIDENCE as EVIDENCE
from .look import Seen as Seen
from .look import knows_images as knows_images
from .look import look as look
from .look import predict_images as predict_images
from .predict import Prediction as Prediction
from .predict import encoder_of as encoder_of
from .predict import predict as predict
