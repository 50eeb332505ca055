"""Prints the JSON Schemas of two components, as the reference makes them of pydantic models."""
import json
from typing import Optional

from pydantic import BaseModel, Field


class WeatherCard(BaseModel):
    """Display the current weather for a location."""

    location: str = Field(description="Human-readable place name")
    temperature_f: float
    condition: Optional[str] = None


class PricingPlan(BaseModel):
    name: str
    price: float
    features: list[str] = Field(default_factory=list)


class PricingTable(BaseModel):
    """Show a side-by-side comparison of pricing plans."""

    plans: list[PricingPlan]


print(json.dumps([model.model_json_schema() for model in (WeatherCard, PricingTable)]))
