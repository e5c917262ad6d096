"""Where on Earth an image of each category could have been taken.

Anchors are real places (latitude, longitude in degrees, WGS 84); an image lies within
`PLACES[category].jitter_deg` of one. Coasts and airports get little jitter, so that no harbour
lies inland or in the open sea.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["PLACES", "Anchor", "Place", "PlaceTable", "random_place"]


@dataclass(frozen=True)
class Anchor:
    """A named place: degrees north, degrees east, and its climate (see `palette.look_of`)."""

    name: str
    lat: float
    lon: float
    climate: str


@dataclass(frozen=True)
class PlaceTable:
    """Anchors of a category, and the largest distance of its images from them in degrees."""

    jitter_deg: float
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True)
class Place:
    """Position of one image: degrees east, degrees north, a name, a climate."""

    lon: float
    lat: float
    name: str
    climate: str


def _read(text: str) -> tuple[Anchor, ...]:
    rows = (line.split(";") for line in text.strip().splitlines())
    return tuple(Anchor(n.strip(), float(a), float(o), c.strip()) for n, a, o, c in rows)


_AIRPORTS = _read("""
Frankfurt, Germany; 50.037; 8.562; temperate
Atlanta, United States; 33.640; -84.427; temperate
Denver, United States; 39.856; -104.674; dry
Tokyo, Japan; 35.772; 140.393; temperate
Madrid, Spain; 40.472; -3.563; dry
Johannesburg, South Africa; -26.139; 28.246; dry
Delhi, India; 28.556; 77.100; dry
Sao Paulo, Brazil; -23.432; -46.470; tropical
Dubai, United Arab Emirates; 25.253; 55.365; arid
Stockholm, Sweden; 59.652; 17.919; cold
Toronto, Canada; 43.677; -79.631; cold
Nairobi, Kenya; -1.319; 36.928; tropical
Melbourne, Australia; -37.673; 144.843; temperate
Bangkok, Thailand; 13.690; 100.750; tropical
Paris, France; 49.010; 2.548; temperate
""")
_PORTS = _read("""
Rotterdam, Netherlands; 51.950; 4.140; temperate
Hamburg, Germany; 53.536; 9.960; temperate
Valencia, Spain; 39.447; -0.322; dry
Long Beach, United States; 33.752; -118.216; dry
Santos, Brazil; -23.953; -46.308; tropical
Busan, South Korea; 35.103; 129.040; temperate
Durban, South Africa; -29.878; 31.027; tropical
Colombo, Sri Lanka; 6.947; 79.848; tropical
Fremantle, Australia; -32.045; 115.744; dry
Gothenburg, Sweden; 57.692; 11.860; cold
Halifax, Canada; 44.640; -63.565; cold
Jebel Ali, United Arab Emirates; 25.010; 55.058; arid
Genoa, Italy; 44.405; 8.918; dry
Yokohama, Japan; 35.453; 139.655; temperate
Valparaiso, Chile; -33.034; -71.622; dry
""")
_CITIES = _read("""
Berlin, Germany; 52.500; 13.400; temperate
Lyon, France; 45.755; 4.850; temperate
Manchester, United Kingdom; 53.475; -2.240; temperate
Warsaw, Poland; 52.230; 21.010; cold
Moscow, Russia; 55.740; 37.600; cold
Chicago, United States; 41.860; -87.720; cold
Dallas, United States; 32.800; -96.800; dry
Phoenix, United States; 33.470; -112.070; arid
Minneapolis, United States; 44.960; -93.270; cold
Mexico City, Mexico; 19.400; -99.140; dry
Bogota, Colombia; 4.650; -74.100; tropical
Cordoba, Argentina; -31.410; -64.190; temperate
Belo Horizonte, Brazil; -19.920; -43.950; tropical
Kampala, Uganda; 0.320; 32.580; tropical
Pretoria, South Africa; -25.750; 28.220; dry
Cairo, Egypt; 30.050; 31.250; arid
Riyadh, Saudi Arabia; 24.680; 46.720; arid
Ankara, Turkey; 39.930; 32.850; dry
Hyderabad, India; 17.400; 78.470; tropical
Beijing, China; 39.910; 116.400; temperate
Chengdu, China; 30.660; 104.070; temperate
Kyoto, Japan; 35.005; 135.750; temperate
Canberra, Australia; -35.290; 149.130; dry
""")
_SUBURBS = _read("""
Naperville, United States; 41.760; -88.150; cold
Plano, United States; 33.030; -96.720; dry
Cary, United States; 35.780; -78.800; temperate
Surrey Hills, United Kingdom; 51.180; -0.480; temperate
Potsdam, Germany; 52.370; 13.000; temperate
Uppsala, Sweden; 59.850; 17.600; cold
Ballarat, Australia; -37.560; 143.830; dry
Hamilton, New Zealand; -37.790; 175.270; temperate
Gaborone, Botswana; -24.640; 25.890; dry
Campinas, Brazil; -22.880; -47.050; tropical
Kelowna, Canada; 49.880; -119.440; cold
Aix-en-Provence, France; 43.520; 5.430; dry
""")
_PIVOTS = _read("""
Garden City, United States; 37.930; -101.050; dry
Holdrege, United States; 40.420; -99.370; temperate
Moses Lake, United States; 47.080; -119.300; dry
Dalhart, United States; 36.100; -102.500; dry
Wadi ad-Dawasir, Saudi Arabia; 20.450; 44.850; arid
Al Jawf, Saudi Arabia; 29.900; 38.400; arid
East Oweinat, Egypt; 22.580; 28.700; arid
Kufra, Libya; 24.200; 23.350; arid
Albacete, Spain; 39.050; -1.900; dry
Orange River, South Africa; -29.700; 24.300; dry
Barreiras, Brazil; -12.150; -45.700; tropical
Caldwell, United States; 43.650; -116.800; dry
""")
_FARMS = _read("""
Beauce, France; 48.150; 1.700; temperate
Champaign, United States; 40.110; -88.400; temperate
Fargo, United States; 46.880; -97.100; cold
Saskatoon, Canada; 51.900; -106.900; cold
Rosario, Argentina; -33.100; -61.300; temperate
Poltava, Ukraine; 49.600; 34.200; cold
Ludhiana, India; 30.850; 75.700; dry
Zhengzhou, China; 34.600; 114.200; temperate
Castilla y Leon, Spain; 41.900; -4.700; dry
Wagga Wagga, Australia; -35.050; 147.200; dry
Rondonopolis, Brazil; -16.300; -54.700; tropical
Lincolnshire, United Kingdom; 53.000; -0.300; temperate
""")
_FORESTS = _read("""
Black Forest, Germany; 48.300; 8.200; temperate
Bialowieza, Poland; 52.730; 23.830; cold
Karelia, Russia; 62.500; 33.200; cold
Jamtland, Sweden; 63.300; 15.500; cold
Manaus, Brazil; -2.600; -60.400; tropical
Salonga, DR Congo; -2.200; 21.300; tropical
Taman Negara, Malaysia; 4.600; 102.400; tropical
Vermont, United States; 44.200; -72.700; temperate
Willamette, United States; 43.900; -122.300; temperate
Temiscamingue, Canada; 47.300; -78.500; cold
Gippsland, Australia; -37.500; 146.900; temperate
Hokkaido, Japan; 43.400; 142.900; cold
""")
_RIVERS = _read("""
Cologne, Germany; 50.940; 6.970; temperate
Budapest, Hungary; 47.500; 19.050; temperate
Bordeaux, France; 44.840; -0.560; temperate
Memphis, United States; 35.140; -90.070; temperate
Saint Louis, United States; 38.630; -90.180; temperate
Saskatoon, Canada; 52.130; -106.650; cold
Wuhan, China; 30.560; 114.280; temperate
Novosibirsk, Russia; 55.010; 82.930; cold
Khartoum, Sudan; 15.610; 32.510; arid
Bangui, Central African Republic; 4.370; 18.560; tropical
Asuncion, Paraguay; -25.270; -57.610; tropical
Nongkhai, Thailand; 17.880; 102.720; tropical
Seville, Spain; 37.380; -6.000; dry
""")
_LAKES = _read("""
Tampere, Finland; 61.550; 23.500; cold
Kuopio, Finland; 62.900; 27.600; cold
Masurian Lakes, Poland; 53.900; 21.600; cold
Mecklenburg, Germany; 53.450; 12.600; temperate
Brainerd, United States; 46.400; -94.200; cold
Kenora, Canada; 49.800; -94.300; cold
Bariloche, Argentina; -41.100; -71.400; temperate
Rotorua, New Zealand; -38.100; 176.350; temperate
Wuhan, China; 30.450; 114.450; temperate
Ballarat, Australia; -37.500; 143.800; dry
Kodagu, India; 12.300; 75.900; tropical
Salzburg, Austria; 47.850; 13.200; temperate
""")
_BEACHES = _read("""
Benidorm, Spain; 38.534; -0.120; dry
Biarritz, France; 43.483; -1.562; temperate
Rimini, Italy; 44.063; 12.585; dry
Miami Beach, United States; 25.795; -80.128; tropical
Santa Monica, United States; 34.010; -118.497; dry
Copacabana, Brazil; -22.972; -43.183; tropical
Cancun, Mexico; 21.100; -86.765; tropical
Gold Coast, Australia; -28.010; 153.431; tropical
Muizenberg, South Africa; -34.108; 18.472; dry
Goa, India; 15.545; 73.755; tropical
Phuket, Thailand; 7.895; 98.296; tropical
Scheveningen, Netherlands; 52.115; 4.282; temperate
Agadir, Morocco; 30.415; -9.605; dry
""")
_DESERTS = _read("""
Erg Chebbi, Morocco; 31.100; -3.970; arid
Grand Erg Oriental, Algeria; 30.500; 7.000; arid
Murzuq, Libya; 24.800; 12.600; arid
Great Sand Sea, Egypt; 27.000; 26.200; arid
Rub al Khali, Saudi Arabia; 20.500; 51.000; arid
Thar Desert, India; 27.100; 70.600; arid
Taklamakan, China; 38.900; 82.300; arid
Sossusvlei, Namibia; -24.750; 15.300; arid
Simpson Desert, Australia; -24.800; 137.400; arid
Atacama, Chile; -23.600; -69.300; arid
Algodones Dunes, United States; 32.920; -115.020; arid
Tenere, Niger; 18.300; 11.500; arid
""")
_MOUNTAINS = _read("""
Zermatt, Switzerland; 46.000; 7.700; cold
Chamonix, France; 45.900; 6.920; cold
Aspen, United States; 39.070; -106.850; cold
Banff, Canada; 51.300; -116.000; cold
Cusco, Peru; -13.500; -71.800; dry
Mendoza, Argentina; -32.700; -69.900; dry
Namche, Nepal; 27.850; 86.750; cold
Skardu, Pakistan; 35.400; 75.700; dry
Almaty, Kazakhstan; 43.000; 77.200; cold
High Atlas, Morocco; 31.100; -7.900; dry
Queenstown, New Zealand; -44.900; 168.600; temperate
Matsumoto, Japan; 36.280; 137.650; cold
""")
_SOLAR = _read("""
Seville, Spain; 37.410; -6.250; dry
Leipzig, Germany; 51.320; 12.650; temperate
Mojave, United States; 35.020; -118.250; arid
Boulder City, United States; 35.800; -114.980; arid
Bhadla, India; 27.530; 71.910; arid
Golmud, China; 36.370; 95.200; arid
Datong, China; 40.000; 113.100; dry
Aswan, Egypt; 24.450; 32.740; arid
Ouarzazate, Morocco; 31.020; -6.870; arid
De Aar, South Africa; -30.620; 24.050; dry
Nyngan, Australia; -31.570; 147.100; dry
Cestas, France; 44.720; -0.810; temperate
""")
_BALLPARKS = _read("""
Omaha, United States; 41.260; -96.050; temperate
Cooperstown, United States; 42.700; -74.920; temperate
Williamsport, United States; 41.240; -77.020; temperate
Tulsa, United States; 36.120; -95.930; temperate
Albuquerque, United States; 35.110; -106.620; dry
Sacramento, United States; 38.580; -121.440; dry
Nashville, United States; 36.130; -86.790; temperate
Winnipeg, Canada; 49.890; -97.150; cold
Monterrey, Mexico; 25.680; -100.310; dry
Nagoya, Japan; 35.180; 136.920; temperate
Daegu, South Korea; 35.870; 128.600; temperate
Taichung, Taiwan; 24.150; 120.680; tropical
""")

PLACES: dict[str, PlaceTable] = {
    "airport": PlaceTable(0.012, _AIRPORTS),
    "runway": PlaceTable(0.012, _AIRPORTS),
    "harbour": PlaceTable(0.008, _PORTS),
    "storage tanks": PlaceTable(0.01, _PORTS),
    "beach": PlaceTable(0.004, _BEACHES),
    "circular fields": PlaceTable(0.12, _PIVOTS),
    "rectangular fields": PlaceTable(0.2, _FARMS),
    "forest": PlaceTable(0.2, _FORESTS),
    "river with bridge": PlaceTable(0.02, _RIVERS),
    "lake": PlaceTable(0.08, _LAKES),
    "desert": PlaceTable(0.2, _DESERTS),
    "mountains": PlaceTable(0.1, _MOUNTAINS),
    "solar farm": PlaceTable(0.06, _SOLAR),
    "baseball diamond": PlaceTable(0.06, _BALLPARKS),
    "sparse housing": PlaceTable(0.05, _SUBURBS),
    "golf course": PlaceTable(0.05, _SUBURBS),
} | dict.fromkeys(
    (
        "stadium", "dense housing", "parking lot", "motorway interchange", "roundabout",
        "tennis courts", "warehouses", "railway station", "park", "playground", "high rise",
    ),
    PlaceTable(0.06, _CITIES),
)  # fmt: skip


def random_place(category: str, rng: np.random.Generator) -> Place:
    """Random place where an image of this category could have been taken."""
    table = PLACES[category]
    anchor = table.anchors[int(rng.integers(len(table.anchors)))]
    north, east = rng.uniform(-table.jitter_deg, table.jitter_deg, 2)
    lat, lon = anchor.lat + north, anchor.lon + east
    return Place(round(float(lon), 6), round(float(lat), 6), anchor.name, anchor.climate)
