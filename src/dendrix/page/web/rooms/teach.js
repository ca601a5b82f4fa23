export async function open(section) { section.append("soon"); }
