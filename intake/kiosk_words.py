"""What a kiosk and a poster say, in the languages they speak; a form's own words come first where it has them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    own_name: str
    question: str
    faces: tuple[str, str, str, str, str]
    comment: str
    nameless: str
    send: str
    skip: str
    thanks: str
    kept: str
    back_in: str
    staff: str
    code: str
    leave: str
    scan: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        own_name="English",
        question="How was it?",
        faces=("Bad", "Poor", "Fair", "Good", "Great"),
        comment="Would you like to say why?",
        nameless="Please write nothing here that says who you are.",
        send="Send",
        skip="Send without words",
        thanks="Thank you. We have it.",
        kept="Kept here until the network is back.",
        back_in="Seconds until the next person's turn",
        staff="Staff",
        code="Code to leave this page",
        leave="Leave",
        scan="Point your phone's camera at the code. It takes a minute.",
    ),
    "de": Words(
        own_name="Deutsch",
        question="Wie war es?",
        faces=("Schlecht", "Mäßig", "Geht so", "Gut", "Sehr gut"),
        comment="Möchten Sie sagen, warum?",
        nameless="Bitte schreiben Sie nichts, woran man Sie erkennt.",
        send="Senden",
        skip="Ohne Worte senden",
        thanks="Danke. Es ist bei uns.",
        kept="Hier aufgehoben, bis das Netz wieder da ist.",
        back_in="Sekunden, bis der Nächste an der Reihe ist",
        staff="Personal",
        code="Code zum Verlassen der Seite",
        leave="Verlassen",
        scan="Richten Sie die Kamera Ihres Telefons auf den Code. Es dauert eine Minute.",
    ),
    "fr": Words(
        own_name="Français",
        question="Comment c’était ?",
        faces=("Mauvais", "Médiocre", "Moyen", "Bien", "Très bien"),
        comment="Voulez-vous dire pourquoi ?",
        nameless="N’écrivez rien qui permette de vous reconnaître.",
        send="Envoyer",
        skip="Envoyer sans un mot",
        thanks="Merci. C’est bien arrivé.",
        kept="Gardé ici jusqu’au retour du réseau.",
        back_in="Secondes avant la personne suivante",
        staff="Personnel",
        code="Code pour quitter la page",
        leave="Quitter",
        scan="Visez le code avec l’appareil photo de votre téléphone. Cela prend une minute.",
    ),
    "es": Words(
        own_name="Español",
        question="¿Qué tal ha ido?",
        faces=("Mal", "Regular", "Aceptable", "Bien", "Muy bien"),
        comment="¿Quiere decirnos por qué?",
        nameless="No escriba nada que permita reconocerle.",
        send="Enviar",
        skip="Enviar sin palabras",
        thanks="Gracias. Lo tenemos.",
        kept="Guardado aquí hasta que vuelva la red.",
        back_in="Segundos hasta la siguiente persona",
        staff="Personal",
        code="Código para salir de la página",
        leave="Salir",
        scan="Apunte al código con la cámara de su teléfono. Solo lleva un minuto.",
    ),
    "it": Words(
        own_name="Italiano",
        question="Com’è andata?",
        faces=("Male", "Scarso", "Così così", "Bene", "Molto bene"),
        comment="Vuole dirci perché?",
        nameless="Non scriva nulla che la renda riconoscibile.",
        send="Invia",
        skip="Invia senza parole",
        thanks="Grazie. È arrivato.",
        kept="Conservato qui finché torna la rete.",
        back_in="Secondi fino alla prossima persona",
        staff="Personale",
        code="Codice per lasciare la pagina",
        leave="Lascia",
        scan="Inquadri il codice con il telefono. Basta un minuto.",
    ),
    "nl": Words(
        own_name="Nederlands",
        question="Hoe was het?",
        faces=("Slecht", "Matig", "Redelijk", "Goed", "Heel goed"),
        comment="Wilt u zeggen waarom?",
        nameless="Schrijf niets waaraan u te herkennen bent.",
        send="Versturen",
        skip="Versturen zonder woorden",
        thanks="Dank u. We hebben het.",
        kept="Hier bewaard tot het netwerk terug is.",
        back_in="Seconden tot de volgende aan de beurt is",
        staff="Personeel",
        code="Code om de pagina te verlaten",
        leave="Verlaten",
        scan="Richt de camera van uw telefoon op de code. Het duurt een minuut.",
    ),
    "sv": Words(
        own_name="Svenska",
        question="Hur var det?",
        faces=("Dåligt", "Svagt", "Okej", "Bra", "Mycket bra"),
        comment="Vill du säga varför?",
        nameless="Skriv inget som visar vem du är.",
        send="Skicka",
        skip="Skicka utan ord",
        thanks="Tack. Vi har fått det.",
        kept="Sparat här tills nätet är tillbaka.",
        back_in="Sekunder till nästa persons tur",
        staff="Personal",
        code="Kod för att lämna sidan",
        leave="Lämna",
        scan="Rikta telefonens kamera mot koden. Det tar en minut.",
    ),
}
