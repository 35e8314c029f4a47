//! Draws a contact sheet of the embedded dataset: `cargo run --example sheet -- OUT.png [SEED]`.

use autogan_data::{Split, shapes};

const COLUMNS: usize = 20;
const ROWS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("expected a path for the picture")?;
    let seed = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let images = shapes::generate(seed, Split::Train, 0..(COLUMNS * ROWS) as u64)?;
    let cell = shapes::SIDE + 2;
    let mut sheet = image::RgbImage::new((COLUMNS * cell) as u32, (ROWS * cell) as u32);
    // Sorted by class, two columns for each, so that a look tells the classes apart.
    let labels = images.labels().ok_or("expected labels")?;
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&index| labels[index]);
    let area = shapes::SIDE * shapes::SIDE;
    for (place, &index) in order.iter().enumerate() {
        let image = images.image(index).ok_or("expected an image")?;
        for pixel in 0..area {
            let x = place / ROWS * cell + pixel % shapes::SIDE;
            let y = place % ROWS * cell + pixel / shapes::SIDE;
            let colour = [0, 1, 2].map(|channel| image[channel * area + pixel]);
            sheet.put_pixel(x as u32, y as u32, image::Rgb(colour));
        }
    }
    sheet.save(path)?;
    Ok(())
}
