// The control panel: puts its parts together.
import { on, listen, say } from "./link.js";
import { hands } from "./hands.js";
import { show, facts_are, tick } from "./show.js";
import { world } from "./world.js";
import { files } from "./files.js";
import { court } from "./court.js";

const facts = await (await fetch("/facts.json")).json();
facts_are(facts);
show();
hands();
world(facts);
files();
court();
tick("");
on("lost", () => say("The panel does not answer. Was it stopped? This page tries again by itself."));
on("found", () => say("", false));
listen();
